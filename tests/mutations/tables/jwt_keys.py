"""The issuer's keys (`validation_mode=jwt`): which are used, and how they stay fresh."""

from functools import partial

from tests.mutations.mutation import Mutation

MODE = {"validation_mode": "jwt"}
TESTS = "tests/test_jwks.py::"
LEFT_OUT = TESTS + "test_a_key_that_cannot_be_used_is_left_out"
BAD = TESTS + "test_a_bad_answer_never_replaces_good_keys"
COLD = TESTS + "test_without_keys_nothing_is_accepted_and_nobody_is_blamed"

keys = partial(Mutation, file="app/auth/jwks.py", answers=MODE)
key = partial(Mutation, file="app/auth/jwk.py", answers=MODE)

MUTATIONS = [
    keys(
        rule="K8-a-pause-between-fetches",
        old="        if self._flight is None and not self._may_fetch():\n            raise",
        new="        if self._flight == 0:\n            raise",
        test=TESTS + "test_a_thousand_unknown_keys_cost_one_fetch",
    ),
    keys(
        rule="K8-the-pause-counts-from-the-attempt",
        old="_since(self._attempted_at, self._clock()) >= pause",
        new="_since(self._fetched_at, self._clock()) >= pause",
        test=TESTS + "test_the_pause_counts_from_the_last_attempt",
    ),
    keys(
        rule="K8-a-service-without-keys-pauses-too",
        old="self._keys else COLD_COOLDOWN",
        new="self._keys else 0",
        test=TESTS + "test_a_start_without_the_issuer_is_over_when_it_is_over",
    ),
    keys(
        rule="a-service-without-keys-pauses-less",
        old="self._keys else COLD_COOLDOWN",
        new="self._keys else COOLDOWN",
        test=TESTS + "test_a_start_without_the_issuer_is_over_when_it_is_over",
    ),
    keys(
        rule="K1-a-signature-after-a-refresh-is-verified",
        old="        await self.refresh()\n        if not signed_by_one(self._keys, token):\n",
        new="        await self.refresh()\n        if not self._keys:\n",
        test=TESTS + "test_a_thousand_unknown_keys_cost_one_fetch",
    ),
    keys(
        rule="a-new-key-is-fetched-when-a-token-names-it",
        old="            return\n        if self._flight is None and not self._may_fetch():\n",
        new="            return\n        if True:\n",
        test=TESTS + "test_a_new_key_is_fetched_when_a_token_names_it",
    ),
    keys(
        rule="keys-are-fetched-again-before-they-are-old",
        old="        if age < REFRESH_AGE:\n",
        new="        if age < LIFETIME:\n",
        test=TESTS + "test_keys_are_fetched_again_before_they_are_old",
    ),
    keys(
        rule="a-withdrawn-key-is-not-used",
        old=" or (age >= patience and self._failure is None)",
        new="",
        test=TESTS + "test_a_key_that_is_gone_is_not_used",
    ),
    keys(
        rule="only-the-first-request-of-an-outage-waits",
        old=" and self._failure is None",
        new="",
        test=TESTS + "test_only_the_first_request_of_an_outage_waits",
    ),
    keys(
        rule="keys-are-believed-for-a-day",
        old="        if self._age() >= HARD_LIMIT:\n            raise self._unavailable()\n",
        new="",
        test=f"{BAD}[500]",
    ),
    keys(
        rule="I9-the-issuers-limit-is-passed-on",
        old="self._failure.retry_after",
        new="5",
        test=TESTS + "test_the_issuers_rate_limit_is_passed_on",
    ),
    keys(
        rule="what-keys-lack-is-named",
        old=', lacks=f"a usable key: {problem}"',
        new="",
        test=TESTS + "test_an_issuer_of_keys_that_are_not_supported_is_named",
    ),
    keys(
        rule="a-caller-who-goes-takes-no-keys-along",
        old="asyncio.shield(self._flight or self._start_flight())",
        new="(self._flight or self._start_flight())",
        test=TESTS + "test_a_hundred_first_requests_cost_one_fetch",
    ),
    keys(
        rule="I11-one-fetch-for-all",
        old="self._flight or self._start_flight()",
        new="self._start_flight()",
        test=TESTS + "test_a_hundred_first_requests_cost_one_fetch",
    ),
    keys(
        rule="a-bad-document-keeps-the-keys",
        old="        except UnusableKey as problem:\n",
        new="        except KeyError as problem:\n",
        test=f"{COLD}[html]",
    ),
    keys(
        rule="a-bad-answer-keeps-the-keys",
        old="        except ProviderUnavailable as problem:\n",
        new="        except KeyError as problem:\n",
        test=f"{BAD}[500]",
    ),
    keys(
        rule="a-clock-set-back-ages-keys",
        old='now - then if now >= then else float("inf")',
        new="now - then",
        test=TESTS + "test_a_clock_that_is_set_back_does_not_keep_keys_for_ever",
    ),
    keys(
        rule="A5-a-key-has-one-algorithm",
        old="if key.algorithm == token.header.algorithm:",
        new="if key.algorithm:",
        test="tests/test_verifier.py::test_a_header_that_asks_for_more_is_refused"
        "[K2-key-of-another-algorithm]",
    ),
    keys(
        rule="K2-a-name-that-is-not-there-is-tried-with-none",
        old="    if token.header.key_id is not None and not named:\n        return []\n",
        new="",
        test="tests/test_verifier.py::test_a_header_that_asks_for_more_is_refused[K2-unknown-key]",
    ),
    keys(
        rule="a-stale-name-is-forgiven",
        old="(named + others)",
        new="named",
        test=TESTS + "test_a_stale_name_is_forgiven",
    ),
    keys(
        rule="the-keys-tried-are-few",
        old="[:MAX_CANDIDATES]",
        new="",
        test=TESTS + "test_the_keys_that_a_signature_is_tried_with_are_few",
    ),
    key(
        rule="K7-a-private-key-spoils-the-set",
        old="    if any(not _PRIVATE.isdisjoint(member) for member in members):\n",
        new="    if members == []:\n",
        test=f"{BAD}[private-key]",
    ),
    key(
        rule="K7-two-keys-of-one-name-spoil-the-set",
        old="if names and max(names.values()) > 1:",
        new="if names and max(names.values()) > 2:",
        test=f"{BAD}[same-name-twice]",
    ),
    key(
        rule="a-document-that-is-no-set-is-none",
        old="    except MalformedClaims as problem:\n",
        new="    except KeyError as problem:\n",
        test=TESTS + "test_a_document_that_is_no_set_is_refused_with_a_reason[html]",
    ),
    key(
        rule="a-set-is-a-list-of-objects",
        old=" or not all(isinstance(member, dict) for member in members)",
        new="",
        test=TESTS + "test_a_document_that_is_no_set_is_refused_with_a_reason[no-objects]",
    ),
    key(
        rule="a-set-without-usable-keys-replaces-none",
        old="    if not usable:\n",
        new="    if usable is None:\n",
        test=f"{BAD}[only-unusable]",
    ),
    key(
        rule="K7-the-purpose-is-asked-for",
        old="    check_purpose(member)\n",
        new="",
        test=f"{LEFT_OUT}[K7-for-encryption]",
    ),
    key(
        rule="K7-a-key-is-for-signatures",
        old='member.get("use", "sig") != "sig"',
        new="False",
        test=f"{LEFT_OUT}[K7-for-encryption]",
    ),
    key(
        rule="K7-a-key-is-for-verifying",
        old='not isinstance(operations, list) or "verify" not in operations',
        new='"verify" not in operations',
        test=f"{LEFT_OUT}[K7-operations-are-text]",
    ),
    key(
        rule="K7-the-name-of-a-key-in-a-set-is-text",
        old="    if key_id is not None and not isinstance(key_id, str):\n",
        new="    if key_id == []:\n",
        test=f"{LEFT_OUT}[K7-name-is-a-number]",
    ),
    key(
        rule="an-algorithm-that-was-not-set-is-not-used",
        old="    if not fitting:\n",
        new="    if fitting is None:\n",
        test=TESTS + "test_a_key_of_an_algorithm_that_was_not_set_is_named",
    ),
    key(
        rule="K6-other-kinds-are-left-out",
        old='    else:\n        raise UnusableKey(f"{_NOT',
        new='    elif kind == 0:\n        raise UnusableKey(f"{_NOT',
        test=f"{LEFT_OUT}[K6-octet-pair]",
    ),
    key(
        rule="K7-an-algorithm-is-of-the-keys-kind",
        old="    if not isinstance(named, str) or named not in of_kind:\n",
        new="    if not isinstance(named, str):\n",
        test=f"{LEFT_OUT}[K7-algorithm-of-another-curve]",
    ),
    key(
        rule="K7-junk-numbers-leave-the-key-out",
        old="    except Exception:  # noqa: BLE001 - JWKError",
        new="    except KeyError:  # noqa: BLE001 - JWKError",
        test=f"{LEFT_OUT}[K7-point-off-the-curve]",
    ),
    key(
        rule="K7-the-strength-is-asked-for",
        old='        check_rsa_strength(number(member, "n"), number(member, "e"))\n',
        new="        pass\n",
        test=f"{LEFT_OUT}[K7-modulus-is-short]",
    ),
    key(
        rule="K7-a-modulus-has-enough-bits",
        old="not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS",
        new="modulus.bit_length() > MAX_RSA_BITS",
        test=f"{LEFT_OUT}[K7-modulus-is-short]",
    ),
    key(
        rule="K7-a-modulus-has-not-too-many-bits",
        old="not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS",
        new="modulus.bit_length() < MIN_RSA_BITS",
        test=f"{LEFT_OUT}[K7-modulus-is-endless]",
    ),
    key(
        rule="K7-an-exponent-is-large-enough",
        old="exponent < 65_537 or ",
        new="",
        test=f"{LEFT_OUT}[K7-exponent-is-three]",
    ),
    key(
        rule="K7-an-exponent-is-not-huge",
        old=" or exponent.bit_length() > 32",
        new="",
        test=f"{LEFT_OUT}[K7-exponent-is-huge]",
    ),
    key(
        rule="K7-a-number-is-text",
        old="    if not isinstance(value, str):\n",
        new="    if value is None:\n",
        test=f"{LEFT_OUT}[K7-modulus-is-a-number]",
    ),
    key(
        rule="K7-a-number-is-base64url",
        old="    except ValueError:\n",
        new="    except KeyError:\n",
        test=f"{LEFT_OUT}[K7-modulus-is-junk]",
    ),
]
