"""Verifying a signed token (`validation_mode=jwt`): its parts, its header and its kind."""

from functools import partial

from tests.mutations.mutation import Mutation

MODE = {"validation_mode": "jwt"}
TESTS = "tests/test_verifier.py::"
CLAIMS = TESTS + "test_one_wrong_claim_refuses_the_token"
HEADER = TESTS + "test_a_header_that_asks_for_more_is_refused"
MANGLED = TESTS + "test_a_mangled_token_is_refused"
PAYLOAD = TESTS + "test_a_signed_payload_that_is_no_claims_is_refused"
SETTINGS = TESTS + "test_wrong_settings_are_said"
SPELLING = TESTS + "test_no_other_spelling_of_a_token_is_accepted"
NO_TEXT = TESTS + "test_no_text_breaks_the_parser"

verifier = partial(Mutation, file="app/auth/verifier.py", answers=MODE)
jws = partial(Mutation, file="app/auth/jws.py", answers=MODE)

MUTATIONS = [
    verifier(
        rule="K1-the-signature-is-verified",
        old="        await self._keys.verify(signed)\n",
        new="",
        test=f"{MANGLED}[K1-foreign-key]",
    ),
    verifier(
        rule="T2-the-kind-of-a-signed-token-is-asked-for",
        old="        check_access_token(signed.header.type, document, claims)\n",
        new="",
        test=f"{CLAIMS}[T2-nonce]",
    ),
    verifier(
        rule="C2-required-claims-are-asked-for",
        old="        check_required(claims)\n",
        new="",
        test=f"{CLAIMS}[C2-no-expiry]",
    ),
    verifier(
        rule="C3-a-signed-claim-of-another-type-is-the-callers-fault",
        old="        except MalformedClaims:\n            raise InvalidToken",
        new="        except KeyError:\n            raise InvalidToken",
        test=f"{CLAIMS}[C3-expiry-is-text]",
    ),
    verifier(
        rule="token-use-in-a-signed-token-counts",
        old='{"token_use": ACCESS_TOKEN, **document}',
        new='{**document, "token_use": ACCESS_TOKEN}',
        test=f"{CLAIMS}[token-use-is-refresh]",
    ),
    verifier(
        rule="token-type-in-a-signed-token-counts",
        old='document if "token_type" in document else ',
        new="",
        test=f"{CLAIMS}[token-type-is-another]",
    ),
    verifier(
        rule="C6-a-signed-token-names-its-issuer",
        old="claims.issuer is None or claims.expires_at",
        new="claims.expires_at",
        test=f"{CLAIMS}[C6-issuer-is-missing]",
    ),
    verifier(
        rule="C2-a-signed-token-has-an-end",
        old=" or claims.expires_at is None",
        new="",
        test=f"{CLAIMS}[C2-no-expiry]",
    ),
    verifier(
        rule="C4-a-signed-token-says-when-it-was-issued",
        old=" or claims.issued_at is None",
        new="",
        test=f"{CLAIMS}[C4-no-issued-at]",
    ),
    verifier(
        rule="C7-a-signed-token-has-a-subject",
        old="claims.subject is None or not",
        new="not",
        test=f"{CLAIMS}[C7-no-subject]",
    ),
    verifier(
        rule="T2-a-signed-token-names-its-client",
        old=' or not (claims.client_id or "").strip()',
        new="",
        test=f"{CLAIMS}[T2-client-is-blank]",
    ),
    *(
        verifier(
            rule=f"T2-{name}-marks-another-kind",
            old=f'"{name}", ' if name != "events" else ', "events"',
            new="",
            test=f"{CLAIMS}[{test}]",
        )
        for name, test in {
            "nonce": "T2-nonce",
            "at_hash": "T2-at-hash",
            "c_hash": "T2-c-hash",
            "events": "T2-events",
        }.items()
    ),
    verifier(
        rule="T2-what-other-tokens-carry-marks-them",
        old="    if not _OF_OTHER_TOKENS.isdisjoint(document):\n",
        new="    if not document:\n",
        test=f"{CLAIMS}[T2-nonce]",
    ),
    verifier(
        rule="T2-hydra-names-scopes-in-access-tokens",
        old='not ("scp" in document or "scope" in document) or ',
        new="",
        test=f"{CLAIMS}[T2-no-scope-claim]",
    ),
    verifier(
        rule="T2-an-audience-of-the-client-alone-is-an-id-tokens",
        old=" or claims.audience == {claims.client_id}",
        new="",
        test=TESTS + "test_a_token_whose_audience_is_only_the_client_is_an_id_token",
    ),
    verifier(
        rule="A2-shared-secrets-cannot-be-set",
        old="        if not names <= ALGORITHMS:\n",
        new="        if not names:\n",
        test=f"{SETTINGS}[shared-secret]",
    ),
    verifier(
        rule="the-backend-of-python-jose-is-asked-for",
        old="(backends.RSAKey, backends.ECKey) != (CryptographyRSAKey, CryptographyECKey)",
        new="False",
        test=TESTS + "test_another_backend_of_python_jose_is_refused",
    ),
    verifier(
        rule="readiness-asks-for-keys",
        old="        await self._keys.keep_fresh(patience=HARD_LIMIT)\n",
        new="        return\n",
        test="tests/test_jwks.py::test_without_keys_nothing_is_accepted_and_nobody_is_blamed[500]",
    ),
    verifier(
        rule="readiness-does-not-wait-for-fresh-keys",
        old="keep_fresh(patience=HARD_LIMIT)",
        new="keep_fresh()",
        test="tests/test_jwks.py::test_readiness_does_not_wait_for_fresh_keys",
    ),
    verifier(
        rule="the-status-of-the-keys-is-asked-for",
        old="            check_status(answer, clock)\n",
        new="",
        test="tests/test_jwks.py::test_the_issuers_rate_limit_is_passed_on",
    ),
    jws(
        rule="S3-three-segments",
        old='if raw.translate(None, _ALPHABET) != b".." or not',
        new="if not",
        test=NO_TEXT,
    ),
    jws(
        rule="S3-no-segment-is-empty",
        old=" or not (segment and payload and signature)",
        new="",
        test=f"{MANGLED}[S1-no-signature]",
    ),
    jws(
        rule="A1-the-algorithm-is-on-the-list",
        old="    check_algorithm(header, algorithms)\n",
        new="",
        test=TESTS + "test_a_key_of_an_algorithm_that_is_not_on_the_list_is_no_key",
    ),
    jws(
        rule="A1-a-list-of-names-not-of-parts",
        old="if header.algorithm not in algorithms:",
        new='if header.algorithm not in " ".join(algorithms):',
        test=TESTS + "test_an_algorithm_is_a_name_and_not_a_part_of_one",
    ),
    jws(
        rule="A1-the-algorithm-is-text",
        old="    if not isinstance(algorithm, str):\n",
        new="    if algorithm is None:\n",
        test=f"{HEADER}[A1-alg-is-a-list]",
    ),
    jws(
        rule="S4-a-broken-header-is-the-callers-fault",
        old="    except MalformedClaims:\n",
        new="    except KeyError:\n",
        test=f"{HEADER}[S4-deep]",
    ),
    jws(
        rule="T3-the-header-brings-nothing-else",
        old="    if not _FORBIDDEN.isdisjoint(fields):\n",
        new="    if not fields:\n",
        test=f"{HEADER}[T3-unknown-extension]",
    ),
    *(
        jws(
            rule=f"{row}-{name}-is-refused",
            old=f'"{name}"' + (", " if name != "x5c" else ""),
            new="" if name != "x5c" else '"x5t"',
            test=f"{HEADER}[{row}-{test}]",
        )
        for row, name, test in [
            ("T3", "crit", "unknown-extension"),
            ("T4", "zip", "compressed"),
            ("T4", "cty", "nested"),
            ("K5", "jwk", "own-key"),
            ("K5", "jku", "url-of-keys"),
            ("K5", "x5u", "url-of-certificate"),
            ("K5", "x5c", "certificate"),
        ]
    ),
    jws(
        rule="S2-one-spelling",
        old="if segment[-1] not in _ENDINGS[len(segment) % 4]:",
        new="if len(segment) % 4 == 1:",
        test=f"{MANGLED}[S2-respelled-signature]",
    ),
    jws(
        rule="S2-what-cannot-be-decoded-is-the-callers-fault",
        old="if segment[-1] not in _ENDINGS[len(segment) % 4]:",
        new="if len(segment) % 4 != 1 and segment[-1] not in _ENDINGS[len(segment) % 4]:",
        test=f"{MANGLED}[S2-length-of-no-bytes]",
    ),
    jws(
        rule="K2-the-name-of-a-key-is-text",
        old="not isinstance(key_id, str) or ",
        new="key_id is not None and ",
        test=f"{HEADER}[K2-key-is-null]",
    ),
    jws(
        rule="K2-the-name-of-a-key-is-short",
        old=" or len(key_id) > MAX_KEY_ID_LENGTH",
        new="",
        test=TESTS + "test_an_absurd_name_of_a_key_is_not_looked_up",
    ),
    jws(
        rule="T1-the-type-is-text",
        old="    if not isinstance(name, str):\n",
        new="    if name is None:\n",
        test=f"{HEADER}[T1-type-is-a-list]",
    ),
    jws(
        rule="T1-the-type-is-an-access-tokens",
        old="    if name not in _TYPES:\n",
        new="    if not name:\n",
        test=f"{HEADER}[T1-logout]",
    ),
    jws(
        rule="T1-a-type-has-no-case",
        old="name.lower()",
        new="name",
        test=TESTS + "test_the_types_of_access_tokens_are_known[AT+JWT]",
    ),
    jws(
        rule="T1-a-type-may-be-written-long",
        old='.removeprefix("application/")',
        new="",
        test=TESTS + "test_the_types_of_access_tokens_are_known[application/at+jwt]",
    ),
]
