"""The papers' tables: as printed, and with measured rows beside them."""

import dataclasses
import operator
from pathlib import Path

import numpy as np
from made_up_results import METRICS, conditions, entry, results

from scan_jax.core import config as configuration
from scan_jax.evaluation import protocols
from scan_jax.evaluation.protocols import PublishedTable, find_protocol
from scan_jax.evaluation.tables.paper_table import NOT_RUN, fills, measured_table
from scan_jax.methods.api import METHODS
from scan_jax.methods.masked_attention.settings import Settings as MaskedAttentionSettings
from scan_jax.methods.scan import ScanSettings

CONFIGS = Path(__file__).parents[2] / "configs"
TABLES = [table for table in vars(protocols).values() if isinstance(table, PublishedTable)]
CELEBA, PARIS = map(find_protocol, ("scan_celeba_hq", "scan_paris_street_view"))
MASKED = find_protocol("masked_attention_celebamask_hq")

# The paper's own lines, to check the transcription by another road than its tuples.
TABLE_1 = """
| PSNR | EC [3] | 27.18 | 25.29 | 23.33 | 27.28 | 25.80 | 24.10 |
| | RN [11] | 27.43 | 25.51 | 23.66 | 27.57 | 26.19 | 24.26 |
| | Ours | 28.54 | 26.91 | 24.69 | 28.76 | 27.09 | 25.27 |
| SSIM | EC | 0.917 | 0.902 | 0.862 | 0.875 | 0.851 | 0.804 |
| | RN | 0.929 | 0.912 | 0.871 | 0.887 | 0.864 | 0.812 |
| | Ours | 0.953 | 0.933 | 0.894 | 0.918 | 0.873 | 0.840 |
"""
TABLE_2 = """
| | PC [2] | GC [10] | EC [3] | RN [11] | Ours |
| PSNR | 25.46 | 25.54 | 25.80 | 26.19 | 27.09 |
| SSIM | 0.835 | 0.849 | 0.851 | 0.864 | 0.873 |
| MAE (%) | 3.13 | 3.09 | 2.90 | 3.04 | 2.53 |
"""


def lines(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.strip().splitlines()]


def paper_rows(table):
    source = table.header.index("source")
    return [row for row in table.rows if row[source] == "paper"]


def under(protocol, *entries, table=None, **changes):
    found = results(conditions=conditions(protocol=str(protocol)), entries=entries, **changes)
    return measured_table(table or protocol.tables[0], protocol, found)


def scan(name="celeba", seed=1, **more):
    return entry(name, seed, buckets=("20-30%", "30-40%"), config={"method": {"name": "scan"}, **more})


def attending(name, seed, attention="contextual", refined=""):
    config = {"method": {"name": "masked_attention", "attention": attention}}
    return entry(name, seed, buckets=("1-20%",), config=config, details={"refined": refined} if refined else {})


def test_table_1_is_printed_as_in_the_paper():
    table = under(CELEBA, scan())
    buckets = ("20-30%", "30-40%", "40-50%")
    datasets = ("CelebA-HQ 20-30%", *buckets[1:], "Paris street view 20-30%", *buckets[1:])
    assert table.header == ("", "method", "source", *datasets)
    assert [row[3:] for row in paper_rows(table)] == [tuple(row[2:]) for row in lines(TABLE_1)]
    assert [row[1] for row in paper_rows(table)] == ["EC [3]", "RN [11]", "Ours"] * 2
    assert [row[0] for row in table.rows if row[0]] == ["PSNR", "SSIM"]


def test_table_2_is_that_of_the_paper_turned():
    table = under(PARIS, scan(), table=PARIS.tables[1])
    header, *rows = lines(TABLE_2)
    assert table.header[2:] == tuple(row[0] for row in rows)
    assert [(row[0], *row[2:]) for row in paper_rows(table)] == list(zip(header, *rows))[1:]
    assert "Paris street view, holes of 30-40%" in table.title


def test_tables_of_the_second_paper_are_printed_as_there():
    tables = (under(MASKED, attending("run", 1), table=table) for table in MASKED.tables)
    assert [[(row[0], *row[2:]) for row in paper_rows(table)] for table in tables] == [
        [
            ("Without Attention", "29.42"),
            ("Self-Attention", "30.26"),
            ("Masked Self-Attention", "30.41"),
            ("Contextual Attention + Attention Loss", "30.49"),
        ],
        [("Without Optimization", "0.950", "30.71"), ("With Optimization", "0.947", "30.49")],
        [("RFR-Net [7]", "0.981", "33.56"), ("Our", "0.950", "30.71")],
    ]
    assert [MASKED.tables[i].columns[0][2] for i in (1, 2)] == ["ssim", "ssim"]
    assert "labels may have changed places" in MASKED.tables[1].note


def test_every_row_has_every_column_and_a_method_of_the_toolkit_with_its_defaults():
    for table in TABLES:
        for row in table.rows:
            assert tuple(row.values) == table.columns
            if row.config:
                assert row.config["method.name"] in METHODS
    own = {"scan": ScanSettings(), "masked_attention": MaskedAttentionSettings()}
    for method, defaults in protocols.DEFAULTS.items():
        for key, value in defaults.items():
            assert operator.attrgetter(key.partition(".")[2])(own[method]) == value, key


def test_the_configs_fill_the_papers_own_rows():
    masked = {"Contextual Attention + Attention Loss", "Without Optimization", "Our"}
    filled = {"celeba": {"Ours"}, "paris": {"Ours"}, "celebamask": masked, "compare/scan64": {"Ours"}}
    for name, wanted in (filled | {key: set() for key in ("faces64", "demo", "camvid64")}).items():
        run = entry("run", 1, config=configuration.load(str(CONFIGS / f"{name}.py")).plain)
        assert {row.name for table in TABLES for row in table.rows if fills(row, run)} == wanted  # none with a prior


def test_another_attention_fills_another_row_and_an_ablation_none():
    rows = MASKED.tables[0].rows
    for row, attention in zip(rows, ("none", "self", "masked", "contextual"), strict=True):
        config = configuration.load(f"{CONFIGS / 'celebamask.py'}:attention={attention}").plain
        assert (config["method"]["loss"]["semantic_attention"] > 0) == (attention == "contextual")
        assert [other for other in rows if fills(other, entry("run", 1, config=config))] == [row]
    ours = CELEBA.tables[0].rows[2]
    assert fills(ours, entry("json", 1, config={"method": {"name": "scan", "attention": ["spatial", "channel"]}}))
    assert not fills(ours, entry("ablation", 1, config={"method": {"name": "scan", "attention": ["spatial"]}}))
    assert not fills(ours, entry("baseline", 1))


def test_measured_rows_stand_below_the_papers_own_by_each_definition():
    run, telea = scan(), entry("Telea", 2, buckets=("20-30%", "30-40%"), kind="baseline")
    table = under(CELEBA, run, telea)
    start = [row[0] for row in table.rows].index("SSIM")
    psnr, ssim = ([row[1:] for row in part] for part in (table.rows[:start], table.rows[start:]))
    nothing = ("", "measured", *[NOT_RUN] * 6)
    assert psnr[1] == psnr[3] == nothing  # EC and RN are not in the toolkit
    assert [row[:2] for row in psnr[4:]] == [
        ("Ours", "paper"),
        ("celeba", "measured, standard"),
        ("celeba", "measured, edge_connect"),
        ("Telea", "measured, standard"),
        ("Telea", "measured, edge_connect"),
    ]
    for row, who, group in ((psnr[5], run, "standard"), (psnr[8], telea, "edge_connect")):
        means = [f"{who.completion[bucket][f'{group}/psnr'].mean():.2f}" for bucket in ("20-30%", "30-40%")]
        assert row[2:] == (*means, NOT_RUN, *[NOT_RUN] * 3)  # another bucket, another dataset
    assert [row == nothing for row in ssim] == [False, True] * 3  # no group here has an SSIM
    assert "standard/psnr: over RGB, range 255" in table.note


def test_a_mean_absolute_error_stands_in_percent():
    fraction = dataclasses.replace(METRICS["standard/mae"], unit="", decimals=4)
    values = {"standard/mae": np.array([2.0, 4.0]), "edge_connect/mae": np.array([0.02, 0.04])}
    run = dataclasses.replace(scan(), completion={"30-40%": values})
    metrics = {"standard/mae": METRICS["standard/mae"], "edge_connect/mae": fraction}
    table = under(PARIS, run, table=PARIS.tables[1], metrics=metrics)
    assert [row[1:] for row in table.rows if row[0] == "celeba"] == [
        ("measured, standard", *["no such metric"] * 2, "3.00"),
        ("measured, edge_connect", *["no such metric"] * 2, "3.00"),
    ]


def test_the_optimised_network_fills_the_row_of_the_optimised():
    plain, refined = attending("run", 1), attending("run refined", 2, refined="style_search")
    table = under(MASKED, plain, refined, table=MASKED.tables[1])
    source = [(row[0], row[1]) for row in table.rows if row[1] != "measured, edge_connect"]
    assert source == [
        ("Without Optimization", "paper"),
        ("run", "measured, standard"),
        ("With Optimization", "paper"),
        ("run refined", "measured, standard"),
    ]
    assert table.rows[1][2:] == ("no such metric", f"{plain.completion['1-20%']['standard/psnr'].mean():.2f}")


def test_nothing_is_measured_under_another_protocol():
    found = results(conditions=conditions(protocol="scan_celeba_hq v0"), entries=(scan(),))
    table = measured_table(CELEBA.tables[0], CELEBA, found)
    measured = [row for row in table.rows if row[2] != "paper"]
    assert len(measured) == 6 and all(set(row[3:]) == {NOT_RUN} for row in measured)
    assert "Nothing was measured under scan_celeba_hq v1: these results are of scan_celeba_hq v0." in table.note


def test_a_row_says_what_its_run_was_trained_on_where_that_is_something_else():
    data = dict(CELEBA.data)
    own, other = scan(data=data), scan(name="faces", data={"name": "photo_folder", "size": 64})
    names = {row[1] for row in under(CELEBA, own, other).rows}
    assert {"celeba", "faces (trained on photo_folder at 64)"} <= names


def test_identical_and_empty_buckets_in_a_papers_table():
    buckets = {"20-30%": [20.0, np.inf, 30.0], "30-40%": []}
    completion = {bucket: {"standard/psnr": np.array(values, np.float32)} for bucket, values in buckets.items()}
    run = dataclasses.replace(scan(), completion=completion)
    table = under(CELEBA, run, metrics={"standard/psnr": METRICS["standard/psnr"]})
    (row,) = (row for row in table.rows if row[0] == "" and row[1] == "celeba" and row[3] != "no such metric")
    assert row[3:5] == ("25.00, 1 identical", "empty")


def test_every_papers_table_ends_with_its_protocol_line():
    for protocol in (CELEBA, MASKED):
        for table in protocol.tables:
            assert under(protocol, scan(), table=table).note.endswith(conditions(protocol=str(protocol)).line())
