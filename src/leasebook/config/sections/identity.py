"""The settings of signatures, keys and secrets."""

from pathlib import Path
from typing import Annotated, Literal

from leasebook.config.kinds import Declared, FilePath, OneOf, Secret, SecretText, Whole
from leasebook.config.sections.sandbox import SandboxSettings


class IdentitySettings(SandboxSettings, frozen=True, kw_only=True):
    """Settings of signatures, keys and secrets; each field is its declaration."""

    master_key_file: Annotated[
        Path | None,
        Declared(
            "master_key_file",
            FilePath(),
            "The file with the master key, which encrypts the secret keys in the store; mode 0600. Not read while "
            "`LEASEBOOK_MASTER_KEY` is set. A relative path in the TOML file starts at that file's folder.",
            unset="`master.key` in the data folder",
        ),
    ] = None

    master_key: Annotated[
        Secret | None,
        Declared(
            "master_key",
            # The vault checks the key itself; its file is the setting `master_key_file`.
            SecretText(r"[!-~]{1,256}", "64 hexadecimal digits, or base64 of 32 bytes", own_file=False),
            "The master key itself; takes precedence over `master_key_file`.",
            unset="the key in `master_key_file`",
        ),
    ] = None

    master_key_next: Annotated[
        Secret | None,
        Declared(
            "master_key_next",
            SecretText(r"[!-~]{1,256}", "64 hexadecimal digits, or base64 of 32 bytes"),
            "The master key that will replace the present one. Give it to every server before you run `leasebook "
            "rotate-master-key`; afterwards servers may have it as `LEASEBOOK_MASTER_KEY`.",
            unset="the key in the file of the master key's name with `.next` added, if it exists",
        ),
    ] = None

    root_access_key: Annotated[
        Secret | None,
        Declared(
            "root_access_key",
            SecretText(r"[A-Za-z0-9_-]{1,64}", 'from 1 to 64 letters, digits, "_" and "-"'),
            "The access key id of the root account; set it together with `LEASEBOOK_ROOT_SECRET_KEY`.",
            unset="none",
        ),
    ] = None

    root_secret_key: Annotated[
        Secret | None,
        Declared(
            "root_secret_key",
            SecretText(r"[!-~]{16,128}", "from 16 to 128 printable ASCII characters without spaces"),
            "The secret key of the root account; set it together with `LEASEBOOK_ROOT_ACCESS_KEY`. Anyone who "
            "guesses it controls the service, so a shorter one is refused.",
            unset="none",
        ),
    ] = None

    signature_age_max_seconds: Annotated[
        int,
        Declared(
            "signature.age_max_seconds",
            Whole(60, 86_400, "seconds"),
            "Maximum age of a signature, whatever lifetime its signer chose.",
        ),
    ] = 1800

    signature_operator_age_max_seconds: Annotated[
        int,
        Declared(
            "signature.operator_age_max_seconds",
            Whole(60, 86_400, "seconds"),
            "The same for calls of operators, if it is shorter.",
        ),
    ] = 300

    signature_operators_strict: Annotated[
        Literal["no", "yes"],
        Declared(
            "signature.operators_strict",
            OneOf(("no", "yes")),
            "Whether every call of an operator must sign its body and a nonce. `leasebook call` does, the official "
            "Qianfan clients cannot.",
        ),
    ] = "no"

    signature_host_without_port: Annotated[
        Literal["no", "yes"],
        Declared(
            "signature.host_without_port",
            OneOf(("no", "yes")),
            "Whether a signature may cover the host without the called port. The official clients for Go and Java "
            "sign it in this way if the address names a port; with `no` they reach only ports 80 and 443.",
        ),
    ] = "yes"

    bearer_token_max_seconds: Annotated[
        int,
        Declared(
            "bearer_token.max_seconds",
            Whole(60, 2_592_000, "seconds"),
            "Longest lifetime of a token from `/v1/BCE-BEARER/token`. A request for more gets a token with this "
            "lifetime. Lowered, it also ends the longer tokens that were made before.",
        ),
    ] = 86_400

    refused_calls_keep_days: Annotated[
        int,
        Declared(
            "refused_calls.keep_days",
            Whole(1, 3650, "days"),
            "How long the log of refused calls is kept.",
        ),
    ] = 30
