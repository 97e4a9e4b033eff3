# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a checkpoint comes from, what kind it is, and why it cannot be had: one line each.

The hub's libraries load a checkpoint of another architecture with random weights and a warning;
here its kind is read from its configuration before anything is loaded, and weights that lack a
tensor are refused.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from semcom_blocks.errors import ConfigError, ModelError, SemcomError

PREFIX = "hf:"
PIPELINE_INDEX = "model_index.json"
NETWORK_CONFIG = "config.json"
NETWORK_WEIGHTS = "model.safetensors"
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DIFFUSERS_OFFLINE")
REASON_CHARS = 160  # of a library's message, which may run over pages

T = TypeVar("T")


def offline() -> bool:
    """Whether the user's environment forbids to fetch."""
    return any(
        os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in OFFLINE_VARIABLES
    )


@dataclass(frozen=True)
class Checkpoint:
    """A hub id or a local folder; ``role`` is what it is wanted for, in error lines."""

    name: str
    role: str

    @classmethod
    def parse(cls, spec: str, role: str) -> Checkpoint:
        """``hf:ID-or-PATH``; raises :class:`ConfigError` for anything else."""
        name = spec.removeprefix(PREFIX)
        if not spec.startswith(PREFIX) or not name.strip() or "\0" in name:
            raise ConfigError(f"{role} is {spec!a}, permitted: embedded, hf:ORG/NAME or hf:PATH")
        return cls(name, role)

    @property
    def folder(self) -> Path | None:
        """The local folder, if the name is one."""
        path = Path(self.name).expanduser()
        return path if path.is_dir() else None

    @property
    def local_files_only(self) -> bool:
        """Whether nothing may be fetched: a folder is complete, and offline is offline."""
        return self.folder is not None or offline()

    def error(self, reason: object) -> ModelError:
        """The error that says in one line why this checkpoint is of no use."""
        text = " ".join(str(reason).split())
        if len(text) > REASON_CHARS:
            text = text[: REASON_CHARS - 1] + "…"
        return ModelError(f"{self.role} {PREFIX}{self.name}: {text}")

    def config(self, file: str = NETWORK_CONFIG) -> dict[str, Any]:
        """Parsed ``file`` of the checkpoint, fetched or from the cache."""
        try:
            path = self._file(file)
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise self.error(f"{file} is not readable JSON ({error})") from None
        if not isinstance(found, dict):
            raise self.error(f"{file} is no JSON object")
        return found

    def _file(self, file: str) -> Path:
        if self.folder is not None:
            path = self.folder / file
            if not path.is_file():
                raise self.error(f"the folder holds no {file}, so it is no such checkpoint")
            return path
        if Path(self.name).exists() or self.name.count("/") != 1 or self.name.startswith("/"):
            raise self.error("neither a folder nor a hub id ORG/NAME")
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return Path(hf_hub_download(self.name, file, local_files_only=offline()))
        except HFValidationError as error:
            raise self.error(f"no hub id: {error}") from None
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise self.error(self._why_absent(file, error)) from None

    def _why_absent(self, file: str, error: Exception) -> str:
        kind = type(error).__name__
        if "EntryNotFound" in kind and "Local" not in kind:
            return f"the repository holds no {file}, so it is no such checkpoint"
        if "RepositoryNotFound" in kind or "GatedRepo" in kind:
            return "the hub has no such repository, or it asks for a login"
        if offline():
            return "not in the local cache, and offline mode is on"
        return "not in the local cache, and the hub cannot be reached"

    def require(self, key: str, permitted: tuple[str, ...], file: str = NETWORK_CONFIG) -> str:
        """The kind that ``file`` states under ``key``, which must be one of ``permitted``."""
        found = self.config(file).get(key)
        kinds = found if isinstance(found, list) else [found]
        for kind in kinds:
            if kind in permitted:
                return kind
        named = ", ".join(str(kind) for kind in kinds)
        raise self.error(f"checkpoint is of kind {named}, permitted: {', '.join(permitted)}")

    def load(self, load: Callable[..., T], **options: Any) -> T:
        """``load(name, …)`` of a library, its failures as one line."""
        with quiet_libraries(), self.named_errors():
            where = str(self.folder or self.name)
            return load(where, local_files_only=self.local_files_only, **options)

    def load_network(self, kind: Any, **options: Any) -> Any:
        """A transformers network with every tensor from the checkpoint, in evaluation mode."""
        network, told = self.load(
            kind.from_pretrained, output_loading_info=True, use_safetensors=True, **options
        )
        if missing := sorted(told.get("missing_keys", ())):
            raise self.error(f"weights lack {len(missing)} tensors, first {missing[0]!r}")
        if wrong := told.get("mismatched_keys"):
            raise self.error(f"weights do not fit the configuration: {sorted(wrong)[0]!r}")
        return network.eval()

    def fill(self, network: Any, prefix: str, file: str = NETWORK_WEIGHTS) -> None:
        """Give a network of ours those tensors of ``file`` whose names begin with ``prefix``."""
        from safetensors import safe_open

        path = self._file(file)
        with self.named_errors(), safe_open(path, "pt") as found:
            names = [name for name in found.keys() if name.startswith(prefix)]  # noqa: SIM118
            state = {name: found.get_tensor(name) for name in names}
        if missing := sorted(set(network.state_dict()) - set(state)):
            raise self.error(f"weights lack {len(missing)} tensors, first {missing[0]!r}")
        with self.named_errors():
            network.load_state_dict(state)

    @contextlib.contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn what the libraries raise into :class:`ModelError`."""
        import torch
        from safetensors import SafetensorError

        try:
            yield
        except SemcomError:  # ours already says what is wrong
            raise
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self, error) from None
        except RuntimeError as error:
            if "can't allocate memory" in str(error) or "out of memory" in str(error).lower():
                raise out_of_memory(self, error) from None
            raise self.error(error) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.error(error) from None
        except SafetensorError as error:
            raise self.error(f"weights are damaged ({error})") from None
        except ImportError as error:
            raise self.error(f"a package is missing: {error}") from None


def out_of_memory(checkpoint: Checkpoint, error: object) -> ModelError:
    """What to do about a device that is too small."""
    return checkpoint.error(
        "out of memory; try half = true, offload = 'model' or 'sequential', a smaller size, "
        "or a smaller checkpoint"
    )


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the libraries' progress bars and advice off the terminal: ours say what matters."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in ("transformers", "diffusers", "huggingface_hub")]
    before = [logger.level for logger in loggers]
    transformers_logging.disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
