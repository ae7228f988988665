"""Config sections as checked dataclasses: an unknown key or a wrong type is one line that names the cure."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib.util
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scan_jax.core.bounds import MOST, PLAIN, Range, Size
from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings, EvaluationSettings, TrainingSettings

T = TypeVar("T")


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the candidate nearest to `name`, or nothing where none is near."""
    near = difflib.get_close_matches(str(name), list(candidates), n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def bind(section: Mapping[str, Any], settings: type[T], where: str) -> T:
    """`section` as an instance of the dataclass `settings`; nested dataclasses are bound likewise.

    Its annotations are the allowed types, with what `core.bounds` says of numbers. A key `name`, which picked the
    dataclass, is dropped where it has none.
    `where` is the section's path for messages, such as "config.method".

    UserError where a key is unknown (with the nearest known one) or missing, or a value of another type.
    """
    if not isinstance(section, Mapping) and not hasattr(section, "items"):
        raise UserError(f"{where} must be a section of keys, not {section!r}")
    fields = {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(settings, include_extras=True)
    values = {key: value for key, value in section.items() if key != "name" or "name" in fields}
    for key in values:
        if key not in fields:
            raise UserError(f"unknown config key {where}.{key}{did_you_mean(key, fields)}")
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in values:
            raise UserError(f"{where}.{key} is missing; set it in the config file")
    return settings(**{key: _coerce(value, hints[key], f"{where}.{key}") for key, value in values.items()})


def _coerce(value: Any, wanted: Any, where: str, *, bounded: bool = True) -> Any:
    """`value` as the annotation `wanted` has it, or a UserError."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if origin is typing.Annotated:
        return _within(_coerce(value, arguments[0], where, bounded=False), arguments[1:], where)
    if wanted in PLAIN and bounded:
        return _within(_coerce(value, wanted, where, bounded=False), (PLAIN[wanted],), where)
    if origin is typing.Literal:
        if not any(value == allowed and type(value) is type(allowed) for allowed in arguments):
            raise UserError(
                f"{where} must be one of {arguments}, not {value!r}{did_you_mean(value, map(str, arguments))}"
            )
        return value
    if dataclasses.is_dataclass(wanted):
        return bind(value, typing.cast(type, wanted), where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        first, *others = (a for a in arguments if a is not type(None))
        suits = next((other for other in others if isinstance(other, type) and isinstance(value, other)), first)
        return _coerce(value, suits, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        return _coerce_tuple(value, arguments, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not hasattr(value, "items"):
            raise UserError(f"{where} must be a section of keys, not {value!r}")
        return {key: _coerce(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if wanted is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST:
        return float(value)
    if isinstance(wanted, type) and isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return value
    raise UserError(f"{where} must be {_type_name(wanted)}, not {value!r} ({type(value).__name__})")


def _type_name(wanted: Any) -> str:
    """An annotation as people write it, without bounds: "int", "tuple[float, ...]"."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join("None" if one is type(None) else _type_name(one) for one in arguments)
    name = "..." if wanted is Ellipsis else getattr(origin or wanted, "__name__", str(wanted))
    return f"{name}[{', '.join(map(_type_name, arguments))}]" if origin is tuple else name


def _within(value: Any, bounds: Iterable[Any], where: str) -> Any:
    """`value`, or a UserError where it is outside one of the `bounds`."""
    for bound in bounds:
        if value not in bound:
            raise UserError(f"{where} must be {bound}, not {value!r}")
    return value


def _coerce_tuple(value: Iterable[Any], arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """A list or tuple, item by item; `tuple[X, ...]` takes any length, `tuple[X, Y]` just two."""
    items = tuple(value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(items)
    if len(items) != len(arguments):
        raise UserError(f"{where} must have {len(arguments)} items, not {len(items)}: {items!r}")
    return tuple(_coerce(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(items, arguments)))


def value_at(plain: Mapping[str, Any], where: str, wanted: Any, *default: Any) -> Any:
    """What nested dicts have at a dotted key, such as "data.size", as the annotation `wanted` has it.

    `default` where they have no such key; a UserError without one, or where a value or a section is none.
    """
    *sections, last = where.split(".")
    name, section = "config", plain
    for key in sections:
        name = f"{name}.{key}"
        section = _coerce(section.get(key, {}), Mapping[str, Any], name)
    if last in section:
        return _coerce(section[last], wanted, f"{name}.{last}")
    if not default:
        raise UserError(f"{name}.{last} is missing; set it in the config file")
    return default[0]


@dataclasses.dataclass(frozen=True)
class Config:
    """All of a config, each section bound once."""

    seed: int  # of all that a run draws
    # data, holes, method: as written; what their `name` picks binds them: `open_data`, `open_holes`, `build_method`
    data: Mapping[str, Any]
    holes: Mapping[str, Any]
    method: Mapping[str, Any]
    # training, evaluation, augmentation: bound; the last is the default where a config has no such section
    training: TrainingSettings
    evaluation: EvaluationSettings
    augmentation: AugmentationSettings
    plain: Mapping[str, Any]  # the nested dict that all this was bound from, as a run folder keeps it

    @classmethod
    def of(cls, plain: Mapping[str, Any], name: str = "the config") -> Config:
        """Binds what a file, called `name` in messages, or a run folder says, in nested dicts.

        UserError where a section is unknown or missing, or has a key or value that it must not have.
        """
        unknown = [key for key in plain if key not in SECTIONS]
        if unknown:
            raise UserError(f"unknown config key config.{unknown[0]}{did_you_mean(unknown[0], SECTIONS)}")
        missing = [key for key in SECTIONS if key not in plain and key != "augmentation"]
        if missing:
            raise UserError(f"{name} does not set config.{missing[0]}; see configs/demo.py for an example")
        return cls(
            seed=_coerce(plain["seed"], SEED, "config.seed"),
            **{key: _coerce(plain[key], Mapping[str, Any], f"config.{key}") for key in ("data", "holes", "method")},
            training=bind(plain["training"], TrainingSettings, "config.training"),
            evaluation=bind(plain["evaluation"], EvaluationSettings, "config.evaluation"),
            augmentation=bind(plain.get("augmentation", {}), AugmentationSettings, "config.augmentation"),
            plain=plain,
        )

    @property
    def size(self) -> int:
        """Height and width of the photographs; a UserError where the `data` section does not say."""
        return value_at({"data": self.data}, "data.size", Size)


SEED = typing.Annotated[int, Range(0, 2**32 - 1)]
SECTIONS = ("seed", "data", "holes", "method", "training", "evaluation", "augmentation")
_OVERRIDE = re.compile(r"--config\.([A-Za-z_][\w.]*)=(.*)", re.DOTALL)


def load(path: str, overrides: Iterable[str] = ()) -> Config:
    """The config that a file's `get_config()` returns, with overrides applied.

    Args:
      path: a Python file with `get_config() -> ConfigDict`, or the name of one that comes with the toolkit, such as
        "celeba"; where it takes arguments, they may follow a colon, as in `celebamask:attention=masked`.
      overrides: such as `--config.training.steps=100`, of any key that the sections know, whether the file mentions it
        or not; values are Python literals, anything else is a string.

    Raises:
      UserError: no such file or name, a file without `get_config`, an argument that is not an override, or as
        `Config.of`.
    """
    config, given = _get_config(path), list(overrides)
    apply_overrides(config, given, _set_reference)
    plain = _plain(config)
    apply_overrides(plain, given)
    return Config.of(plain, path)


def apply_overrides(config: Any, overrides: Iterable[str], put: Callable[[Any, str, Any], None] | None = None) -> None:
    """Sets the keys of `config` that overrides such as `--config.training.steps=100` name; `put` is how, if not simply.

    UserError where an argument is no override, or treats a value as a section.
    """
    for argument in overrides:
        match = _OVERRIDE.fullmatch(argument)
        if match is None:
            raise UserError(f"cannot read the argument {argument!r}; overrides look like --config.training.steps=100")
        (put or _set)(config, match[1], literal(match[2]))


def _set_reference(field: Any, where: str, value: Any) -> None:
    """Sets a field of a ConfigDict to which others refer (`get_ref`), so that those follow; no other field."""
    from ml_collections import FieldReference  # the doctor imports this module without

    for key in where.split("."):
        fields = field.items(preserve_field_references=True) if hasattr(field, "get_ref") else ()
        field = dict(fields).get(key)
    if isinstance(field, FieldReference):
        field.set(value, type_safe=False)


def shipped() -> dict[str, Path]:
    """The configs that come with the toolkit, by name: "celeba", or "FOLDER/NAME" where they lie in folders."""
    folder = _configs_folder()
    files = [path for path in sorted(folder.rglob("*.py")) if path.name != "__init__.py"]
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}


def _configs_folder() -> Path:
    """Within the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def is_config(path: str) -> bool:
    """Whether this names a config, by file or name, with or without arguments after a colon."""
    file = path.partition(":")[0]
    return file.endswith(".py") or file in shipped()


def run_name(path: str) -> str:
    """What a run of this config is called where nobody names it: "celebamask", or "celebamask,attention=masked"."""
    file, _, arguments = path.partition(":")
    return ",".join(filter(None, (Path(file).stem, arguments)))


def _get_config(path: str) -> Mapping[str, Any]:
    """Runs the config file, with the arguments after the colon."""
    file, _, arguments = path.partition(":")
    source = _find(file)
    spec = importlib.util.spec_from_file_location("scan_jax_config", source)
    if spec is None or spec.loader is None:
        raise UserError(f"{file} is not a Python file; a config is one with get_config()")
    module = importlib.util.module_from_spec(spec)
    # Lets a config build on one that comes with the toolkit, as in `from scan_jax.configs import celeba`: in a wheel
    # that is a package; configs/ of a checkout lies beside scan_jax/ and is given the same name.
    if "scan_jax.configs" not in sys.modules:
        sys.modules["scan_jax.configs"] = package = types.ModuleType("scan_jax.configs")
        package.__path__ = [str(_configs_folder())]
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserError(f"{file}, line {error.lineno}: {error.msg}") from error
    if not hasattr(module, "get_config"):
        raise UserError(f"{file} has no get_config(); see configs/demo.py for an example")
    return module.get_config(**_arguments(arguments, module.get_config, file))


def _find(file: str) -> Path:
    """The file that is meant, by its path or by the name of a shipped one."""
    known = shipped()
    if file in known:
        return known[file]
    if Path(file).is_file():
        return Path(file)
    beside = [str(other) for other in Path(file).parent.glob("*.py")]
    if not file.endswith(".py"):
        near = did_you_mean(file, [*known, *beside])
        raise UserError(f"no config is called {file!r}{near} (there are {', '.join(known)}; a file's name ends in .py)")
    name = next((name for name in known if file in (f"{name}.py", f"configs/{name}.py")), "")
    near = f"; the one that comes with scan_jax is --config={name}" if name else did_you_mean(file, beside)
    raise UserError(f"no config file {file!r}{near}")


def _arguments(text: str, function: Callable[..., Any], file: str) -> dict[str, str]:
    """`"attention=masked,..."` as keyword arguments that the function has."""
    known, values = inspect.signature(function).parameters, {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            raise UserError(
                f"{file} takes no argument {part!r}{did_you_mean(key, known)} "
                f"(after the colon it takes: {', '.join(f'{name}=...' for name in known) or 'none'})"
            )
        values[key] = value
    return values


def _plain(section: Any, where: str = "config") -> Any:
    """ConfigDicts as dicts and references as what they refer to, all the way down."""
    from ml_collections.config_dict import RequiredValueError

    if not hasattr(section, "items"):
        return section
    plain = {}
    for key in section:
        name = f"{where}.{key}"
        try:
            value = section[key]
        except (RequiredValueError, TypeError, ValueError, ArithmeticError) as error:
            raise UserError(f"{name} has no value ({error}); give one: --{name}=...") from error
        plain[key] = _plain(value, name)
    return plain


def flatten(section: Mapping[str, Any], prefix: str = "", *, with_empty: bool = False) -> dict[str, Any]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`; an empty section is left out or, `with_empty`, a leaf."""
    flat: dict[str, Any] = {}
    for key, value in section.items():
        name = f"{prefix}{key}"
        deeper = isinstance(value, Mapping) and (value or not with_empty)
        flat |= flatten(value, f"{name}.", with_empty=with_empty) if deeper else {name: value}
    return flat


def literal(text: str) -> Any:
    """What Python reads there, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _set(config: dict[str, Any], where: str, value: Any) -> None:
    """Sets a nested key, making sections on the way."""
    *sections, last = where.split(".")
    for key in sections:
        config = config.setdefault(key, {})
        if not isinstance(config, dict):
            raise UserError(f"config.{where}: {key!r} is a value, not a section")
    if isinstance(config.get(last), dict):
        raise UserError(f"config.{where} is a section; set one of its keys: {', '.join(config[last])}")
    config[last] = value
