"""The model card says what the run knows, and no number of another network."""

import json
import os

from small_networks import MASKED_ATTENTION, PLAIN, small_trained

from scan_jax.inference.bundles import model_card
from scan_jax.inference.bundles import model_card as measured

DATA = {"train": "portraits 5-9 | split a", "held_out": "portraits 0-4", "holes": "free-form strokes"}
DATA |= {"train_digest": "ab" * 32, "held_out_digest": "cd" * 32, "holes_digest": "ef" * 32}


def card(folder, section=PLAIN, data=(), **given):
    trained = small_trained(section, folder)
    trained.config["data"] |= dict(data)
    return model_card.render(trained, **{"name": "small", "licence": "", "platforms": (), **given})


def results(parameters, *, psnr=21.25):
    def entry(name, kind, mean, **more):
        scores = {"10-20%": {"standard/psnr": {"mean": mean}, "paper/psnr": {"mean": 1.0}}}
        return {"name": name, "kind": kind, "details": {}, "completion": scores, "sets": {}, **more}

    details = {"folder": "runs/small", "parameters": parameters}
    metric = {"of": "image", "title": "PSNR", "unit": "dB", "decimals": 2}
    fid = {"of": "set", "title": "FID", "unit": "", "decimals": 1}
    return {
        "protocol_line": "Protocol of small v1: 5 photographs.",
        "metrics": {"standard/psnr": metric, "paper/psnr": metric, "inception/fid": fid},
        "entries": [
            entry("small", "run", psnr, details=details, sets={"10-20%": {"inception/fid": 12.34}}),
            entry("Navier-Stokes", "baseline", "inf"),
        ],
    }


def put(folder, name, content):
    path = folder / "evaluation" / name / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_it_says_what_the_network_is_and_what_it_has_seen(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps(DATA))
    text, trained = card(tmp_path, licence="CC BY 4.0"), small_trained(PLAIN)
    assert "SCAN: Spatial and Channel Attention Normalization for Image Inpainting (Chen et al. 2021)" in text
    for row in (
        f"| Hash of the parameters | `{trained.identity}` |",
        "| Steps of training | 7 |",
        "| Trained at | 32 pixels, the short side |",
        "| Licence of the weights | CC BY 4.0 |",
        r"| Trained on | portraits 5-9 \| split a (sha256 `abababababababab`) |",
        "| Held out, never trained on | portraits 0-4 (sha256 `cdcdcdcdcdcdcdcd`) |",
        "| Holes of the test | free-form strokes (sha256 `efefefefefefefef`) |",
        '| Holes in training | `{"name": "free_form"}` |',
    ):
        assert row in text
    assert "white is the hole" in text and "0 in the hole" in text and "multiples of 8" in text
    assert "With JAX alone" not in text, "there is no program in this bundle"


def test_what_is_not_known_or_damaged_is_said_and_places_on_the_machine_that_trained_are_not(tmp_path, caplog):
    text = card(tmp_path, data={"path": "/home/somebody/faces", "held_out_path": "/mnt/x", "data_dir": "/scratch"})
    assert "Nothing was measured of this network." in text and "| Licence of the weights | not stated |" in text
    assert '| Data | `{"name": "synthetic_portraits", "size": 32}` |' in text and "somebody" not in text
    put(tmp_path, "own", "{")
    put(tmp_path, "other", {"entries": [{"name": "x"}]})
    (tmp_path / "data.json").write_text("{")
    assert "Nothing was measured" in card(tmp_path)
    assert caplog.text.count("cannot be read") == 3


def test_labels_are_described_where_the_method_takes_them(tmp_path):
    text = card(tmp_path, {**MASKED_ATTENTION, "attention": "none"}, platforms=("cpu",))
    assert "classes 0 to 2." in text and 'labels="labels.png")' in text and "known, labels)" in text
    assert "Pehlivan" in text
    assert "labels" not in card(tmp_path, platforms=("cpu",)).lower()


def test_an_onnx_file_has_a_section_with_its_names(tmp_path):
    text = card(tmp_path, onnx=(96, 128)).partition("## With ONNX")[2]
    assert "`fill.onnx` is the same network, weights included, for one photograph of 96x128 pixels" in text
    assert "inputs are `image` and `known` as above" in text and "output is `filled`" in text
    assert 'prediction = session.run(["filled"], {"image": photo * known, "known": known})[0]' in text
    text = card(tmp_path, {**MASKED_ATTENTION, "attention": "none"}, onnx=(96, 128)).partition("## With ONNX")[2]
    assert "`image`, `known` and `labels`" in text and '"known": known, "labels": labels}' in text
    assert "ONNX" not in card(tmp_path, platforms=("cpu",))


def test_the_training_runs_table_of_this_step(tmp_path):
    (tmp_path / "step_00000007.md").write_text("| hole | PSNR |\n\nStep 7.\n")
    (tmp_path / "step_00000009.md").write_text("of another step")
    text = card(tmp_path)
    assert "By `python -m scan_jax.main, after step 7`:\n\n| hole | PSNR |\n\nStep 7.\n" in text
    assert "another step" not in text


def test_the_newest_evaluation_of_these_very_parameters(tmp_path):
    identity = small_trained(PLAIN).identity
    old = put(tmp_path, "own", results(identity[:12], psnr=1.0))
    new = put(tmp_path, "scan_celeba_hq", results(identity[:12]))
    put(tmp_path, "own@best", results("0" * 12, psnr=99.0))
    os.utime(old, (1, 1))
    os.utime(new, (2, 2))
    found = measured.newest(tmp_path, 7, identity)
    assert found.command == "python -m scan_jax evaluate --run=runs/small with the protocol scan_celeba_hq"
    assert found.table.splitlines() == [
        "| filled by | hole | PSNR dB | FID |",
        "| --- | ---: | ---: | ---: |",
        "| small | 10-20% | 21.25 | 12.3 |",
        "| Navier-Stokes | 10-20% | inf | – |",  # noqa: RUF001 (a dash)
        "",
        "Protocol of small v1: 5 photographs.",
    ]
    os.utime(old, (3, 3))
    assert measured.newest(tmp_path, 7, identity).command == "python -m scan_jax evaluate --run=runs/small"
