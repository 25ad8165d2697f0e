"""Asking Avnology ID about tokens, users and permissions (`validation_mode=sdk`)."""

from functools import partial

from tests.mutations.mutation import Mutation

MODE = {"validation_mode": "sdk"}
TESTS = "tests/test_verifier.py::"
REFUSED = TESTS + "test_one_wrong_claim_refuses_the_token"
OUTAGE = TESTS + "test_an_answer_that_breaks_the_protocol_is_an_outage"
OWN_RULES = TESTS + "test_the_rules_of_this_service_do_without_those_of_the_client"
ACCESS = "tests/test_access.py::"
UNASKED = ACCESS + "test_an_id_that_would_change_the_question_is_not_found_unasked"
NEVER_A_YES = ACCESS + "test_an_error_is_never_a_yes_and_never_the_callers_fault"
ANSWERS = "tests/test_avnology_answers.py::"
TOKENS = "tests/test_avnology_tokens.py::"
WIRE = "tests/test_avnology_wire.py::"

verifier = partial(Mutation, file="app/auth/verifier.py", answers=MODE)
outages = partial(Mutation, file="app/auth/outages.py", answers=MODE)
permissions = partial(Mutation, file="app/auth/permissions.py", answers=MODE)
principal = partial(Mutation, file="app/auth/principal.py", answers=MODE)
wire = partial(Mutation, file="avnology_id/wire.py", answers=MODE)
package = partial(Mutation, answers=MODE)

MUTATIONS = [
    verifier(
        rule="sdk-I3-visible-kinds-are-refused-unasked",
        old='token.startswith("rt_")',
        new="False",
        test=TESTS + "test_visible_refresh_tokens_are_refused_unasked",
    ),
    verifier(
        rule="sdk-I1-active-is-asked-for",
        old="    check_active(document)\n",
        new="",
        test=f"{REFUSED}[I1-inactive-with-claims]",
    ),
    verifier(
        rule="sdk-I1-inactive-is-the-callers-fault",
        old='raise InvalidToken("inactive")',
        new='raise MalformedClaims("active")',
        test=f"{REFUSED}[I1-inactive]",
    ),
    verifier(
        rule="sdk-I2-only-true-is-a-yes",
        old="if active is not True:",
        new="if not active:",
        test=f"{OWN_RULES}[I2-active-is-one]",
    ),
    verifier(
        rule="sdk-an-organization-is-text",
        old="    check_organization(document)\n",
        new="",
        test=f"{OWN_RULES}[organization-is-a-number]",
    ),
    verifier(
        rule="sdk-both-spellings-are-text",
        old="isinstance(document.get(name), str | None)",
        new='isinstance(document.get("org_id"), str | None)',
        test=f"{OWN_RULES}[organization-is-a-list]",
    ),
    verifier(
        rule="sdk-I7-an-error-of-the-client-is-an-outage",
        old="            raise unavailable(error) from None",
        new='            raise InvalidToken("error") from None',
        test=f"{OUTAGE}[I7-500]",
    ),
    verifier(
        rule="sdk-I7-nonsense-is-not-the-callers-fault",
        old='raise ProviderUnavailable("malformed_answer") from None',
        new='raise InvalidToken("malformed_answer") from None',
        test=f"{OUTAGE}[C3-expiry-is-null]",
    ),
    verifier(
        rule="sdk-the-probe-has-to-be-refused",
        old='raise ProviderUnavailable("active_probe")',
        new="return",
        test=TESTS + "test_a_provider_that_vouches_for_anything_is_not_ready",
    ),
    verifier(
        rule="sdk-a-key-fits-into-a-header",
        old='raise ValueError("holds a blank or a character that no key has: set the key alone")',
        new="return key",
        test=TESTS + "test_wrong_settings_are_said[key-with-a-line]",
    ),
    outages(
        rule="sdk-I8-refused-credentials-are-loud",
        old="logger.error(",
        new="logger.warning(",
        test="tests/test_logs.py::test_refused_credentials_are_loud[401]",
    ),
    outages(
        rule="sdk-I8-readiness-names-what-to-mend",
        old=', lacks="credentials that it accepts"',
        new="",
        test=TESTS + "test_refused_credentials_are_named_by_readiness",
    ),
    outages(
        rule="sdk-I9-the-wait-is-passed-on",
        old="error.retry_after or 5",
        new="5",
        test=TESTS + "test_a_provider_that_limits_says_for_how_long",
    ),
    outages(
        rule="sdk-the-log-names-the-request",
        old='        "request_id": error.request_id,\n',
        new="",
        test=TESTS + "test_the_log_names_the_request_and_not_the_answer",
    ),
    outages(
        rule="sdk-the-log-holds-no-text-of-the-platform",
        old='        "code": error.code,\n',
        new='        "code": error.code,\n        "message": error.message,\n',
        test=TESTS + "test_the_log_names_the_request_and_not_the_answer",
    ),
    permissions(
        rule="sdk-a-denial-is-one",
        old='    if allowed is not True:\n        raise PermissionDenied("permission")\n',
        new="",
        test=ACCESS + "test_others_do_not",
    ),
    permissions(
        rule="sdk-an-error-is-never-a-yes",
        old="        raise unavailable(error) from None",
        new="        return",
        test=f"{NEVER_A_YES}[PUT-/api/projects/apollo-our-rights]",
    ),
    permissions(
        rule="sdk-an-object-is-looked-at-before-the-question",
        old="    check_object(target)\n",
        new="",
        test=UNASKED,
    ),
    permissions(
        rule="sdk-an-object-that-cannot-be-is-not-found",
        old='raise HTTPException(404, "Not found")',
        new="return",
        test=UNASKED,
    ),
    permissions(
        rule="sdk-a-caller-that-cannot-be-asked-about-is-denied",
        old='raise PermissionDenied("subject")',
        new="return",
        test=ACCESS + "test_a_caller_whose_name_would_change_the_question_is_denied",
    ),
    permissions(
        rule="sdk-an-id-has-no-controls",
        old="        and identifier.isprintable()\n",
        new="",
        test=f"{UNASKED}[nul]",
    ),
    permissions(
        rule="sdk-an-id-has-no-marks-of-a-tuple",
        old='{":", "#", "@"}',
        new='{":", "@"}',
        test=f"{UNASKED}[hash]",
    ),
    permissions(
        rule="sdk-an-id-is-bounded",
        old="0 < len(identifier) <= MAX_ID_LENGTH",
        new="0 < len(identifier)",
        test=f"{UNASKED}[too-long]",
    ),
    permissions(
        rule="sdk-an-id-is-not-empty",
        old="0 < len(identifier) <= MAX_ID_LENGTH",
        new="len(identifier) <= MAX_ID_LENGTH",
        test=ACCESS + "test_an_id_that_no_path_can_hold",
    ),
    permissions(
        rule="sdk-a-denial-has-no-challenge",
        old="        return {}\n",
        new="        return super().headers(realm)\n",
        test=ACCESS + "test_others_do_not",
    ),
    principal(
        rule="sdk-a-token-is-for-one-organization",
        old='raise InvalidToken("organization")',
        new="return None",
        test=f"{REFUSED}[two-organizations]",
    ),
    package(
        rule="sdk-a-path-holds-an-id-whole",
        file="avnology_id/admin.py",
        old="quote(user_id, safe='')",
        new="quote(user_id)",
        test=ANSWERS + "test_an_id_stays_one_segment_of_the_path",
    ),
    package(
        rule="sdk-a-step-in-a-path-is-no-id",
        file="avnology_id/admin.py",
        old='("", ".", "..")',
        new='("",)',
        test=ANSWERS + "test_an_id_that_nobody_can_have_is_not_asked_about",
    ),
    package(
        rule="sdk-only-true-is-allowed",
        file="avnology_id/answers.py",
        old="    if not isinstance(value, bool):\n        raise Malformed(name)\n    return value",
        new="    return bool(value)",
        test=f"{NEVER_A_YES}[PUT-/api/projects/apollo-text]",
    ),
    package(
        rule="sdk-an-answer-names-nothing-twice",
        file="avnology_id/answers.py",
        old="if len(document) != len(pairs):",
        new="if False:",
        test=f"{NEVER_A_YES}[PUT-/api/projects/apollo-twice]",
    ),
    package(
        rule="sdk-the-text-of-an-error-is-its-code",
        file="avnology_id/errors.py",
        old='f"{code} (status {status_code})"',
        new='f"{code} (status {status_code}) {message}"',
        test=ANSWERS + "test_the_text_of_an_error_is_its_code_and_status",
    ),
    package(
        rule="sdk-a-token-is-kept-for-its-scopes",
        file="avnology_id/oauth.py",
        old="self._platform.tokens.get(frozenset(scopes))",
        new="self._platform.tokens.get(frozenset())",
        test=TOKENS + "test_a_token_is_kept_for_its_scopes",
    ),
    package(
        rule="sdk-a-token-is-renewed-before-it-ends",
        file="avnology_id/tokens.py",
        old=" - min(MARGIN, token.expires_in / 10)",
        new="",
        test=TOKENS + "test_a_token_is_renewed_before_it_ends",
    ),
    package(
        rule="sdk-a-token-is-fetched-once-at-a-time",
        file="avnology_id/tokens.py",
        old="task = self._pending.get(scopes)",
        new="task = None",
        test=TOKENS + "test_many_calls_fetch_one_token",
    ),
    package(
        rule="sdk-who-goes-away-ends-nothing",
        file="avnology_id/tokens.py",
        old="await asyncio.shield(task)",
        new="await task",
        test=TOKENS + "test_who_goes_away_leaves_the_token_to_the_others",
    ),
    package(
        rule="sdk-a-refused-token-is-replaced",
        file="avnology_id/platform.py",
        old="                self.tokens.discard(scopes, token)\n",
        new="",
        test=TOKENS + "test_a_refused_token_is_replaced_once",
    ),
    package(
        rule="sdk-a-token-that-took-its-place-stays",
        file="avnology_id/tokens.py",
        old="if self._kept.get(scopes) is refused:",
        new="if scopes in self._kept:",
        test=TOKENS + "test_a_late_refusal_leaves_the_new_token_alone",
    ),
    package(
        rule="sdk-several-calls-have-one-limit",
        file="avnology_id/platform.py",
        old="asyncio.timeout(self._timeout)",
        new="asyncio.timeout(self._timeout * 100)",
        test=TOKENS + "test_several_calls_take_as_long_as_one_may",
    ),
    wire(
        rule="sdk-I6-one-limit-for-the-whole-call",
        old="asyncio.timeout(self._time_limit)",
        new="asyncio.timeout(self._time_limit * 5)",
        test=WIRE + "test_a_black_hole_costs_the_time_limit_and_no_more",
    ),
    wire(
        rule="sdk-I6-a-failed-connection-is-tried-once-more",
        old="except (httpx.ConnectError, httpx.ConnectTimeout):",
        new="except ZeroDivisionError:",
        test=WIRE + "test_a_closed_connection_is_tried_once_more_and_not_twice",
    ),
    wire(
        rule="sdk-I7-an-answer-is-bounded",
        old="if len(body) > MAX_ANSWER_BYTES:",
        new="if False:",
        test=WIRE + "test_a_long_answer_is_cut",
    ),
    wire(
        rule="sdk-I7-no-compressed-answer-is-taken",
        old='if "content-encoding" in response.headers:',
        new="if False:",
        test=WIRE + "test_a_compressed_answer_is_refused",
    ),
    wire(
        rule="sdk-cookies-are-not-kept",
        old="aiohttp.DummyCookieJar()",
        new="aiohttp.CookieJar(unsafe=True)",
        test=WIRE + "test_cookies_are_not_kept_and_the_proxy_environment_is_ignored",
    ),
    wire(
        rule="sdk-the-proxy-environment-is-ignored",
        old="trust_env=False",
        new="trust_env=True",
        test=WIRE + "test_cookies_are_not_kept_and_the_proxy_environment_is_ignored",
    ),
    wire(
        rule="sdk-calls-in-flight-are-bounded",
        old="asyncio.Semaphore(MAX_CALLS)",
        new="asyncio.Semaphore(2 * MAX_CALLS)",
        test=WIRE + "test_calls_in_flight_are_bounded",
    ),
    wire(
        rule="sdk-a-place-is-given-back",
        old="                finally:\n                    self._places.release()\n",
        new="                except NoAnswer:\n"
        "                    self._places.release()\n                    raise\n",
        test=WIRE + "test_the_place_of_a_cancelled_call_can_be_taken",
    ),
]
