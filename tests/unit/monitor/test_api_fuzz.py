"""Schemathesis over the OpenAPI document: whatever is sent, the answer is one that is declared."""

import subprocess
import sys
from pathlib import Path

from monitor.config import StoreConfig
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import served, token

# Without unsupported_method: an agent's id may hold a slash as it is sent, so that
# `GET …/agents/a/kill` is a question about the agent of that name.
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "negative_data_rejection",
)  # fmt: skip


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store = Store.open(StoreConfig(url=store_url))
    secret = token(store, Role.ADMIN)
    with served(store, store_url) as client:
        document = str(client.base_url).rstrip("/") + "/openapi.json"
        told = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", document,
             "--header", f"Authorization: Bearer {secret}", "--checks", ",".join(CHECKS),
             "--phases", "examples,coverage,fuzzing", "--max-examples", "1", "--seed", "1",
             "--no-color", "--generation-database", "none"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    store.close()
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
