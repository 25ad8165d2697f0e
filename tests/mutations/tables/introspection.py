"""Asking the provider about a token (`validation_mode=introspection`)."""

from functools import partial

from tests.mutations.mutation import Mutation

MODE = {"validation_mode": "introspection"}
FILE = "app/auth/verifier.py"
TESTS = "tests/test_verifier.py::"
REFUSED = TESTS + "test_one_wrong_claim_refuses_the_token"
OUTAGE = TESTS + "test_an_answer_that_breaks_the_protocol_is_an_outage"
UNASKED = TESTS + "test_visible_refresh_tokens_and_codes_are_refused_unasked"
QUESTION = TESTS + "test_the_question_is_a_plain_form"
CREDENTIALS = TESTS + "test_credentials_are_form_encoded"
SETTINGS = TESTS + "test_wrong_settings_are_said"
FORM = 'b"token=" + quote_plus(token).encode()'

row = partial(Mutation, file=FILE, answers=MODE)

MUTATIONS = [
    row(
        rule="I3-visible-kinds-are-refused-unasked",
        old="        check_prefix(token)\n",
        new="",
        test=f"{UNASKED}[ory_rt_]",
    ),
    row(
        rule="I3-a-code-is-visible-too",
        old='("ory_rt_", "ory_ac_")',
        new='("ory_rt_",)',
        test=f"{UNASKED}[ory_ac_]",
    ),
    row(
        rule="I1-active-is-asked-for",
        old="            check_active(document)\n",
        new="",
        test=f"{REFUSED}[I1-inactive-with-claims]",
    ),
    row(
        rule="I1-inactive-is-the-callers-fault",
        old='raise InvalidToken("inactive")',
        new='raise MalformedClaims("active")',
        test=f"{REFUSED}[I1-inactive]",
    ),
    row(
        rule="I2-text-is-no-yes",
        old="if active is not True:",
        new="if not active:",
        test=f"{OUTAGE}[I2-active-is-text]",
    ),
    row(
        rule="I2-one-is-no-yes",
        old="if active is not True:",
        new="if active != True:",
        test=f"{OUTAGE}[I2-active-is-one]",
    ),
    row(
        rule="I2-null-is-no-no",
        old="if active is False:",
        new="if not active:",
        test=f"{OUTAGE}[I2-active-is-null]",
    ),
    row(
        rule="I2-silence-is-no-yes",
        old='document.get("active")',
        new='document.get("active", True)',
        test=f"{OUTAGE}[I2-active-is-missing]",
    ),
    row(
        rule="I7-the-status-is-asked-for",
        old="        check_status(answer, self._clock)\n",
        new="",
        test=f"{OUTAGE}[I7-500]",
    ),
    row(
        rule="I7-nonsense-is-not-the-callers-fault",
        old='raise ProviderUnavailable("malformed_answer") from None',
        new='raise InvalidToken("malformed_answer") from None',
        test=f"{OUTAGE}[I7-html]",
    ),
    row(
        rule="the-question-is-posted",
        old='Endpoint("POST", ',
        new='Endpoint("GET", ',
        test=QUESTION,
    ),
    row(
        rule="the-question-is-a-form",
        old='"application/x-www-form-urlencoded"',
        new='"application/json"',
        test=QUESTION,
    ),
    row(
        rule="the-token-is-form-encoded",
        old="quote_plus(token).encode()",
        new="token.encode()",
        test=QUESTION,
    ),
    row(
        rule="no-scope-is-sent",
        old=FORM,
        new=f'b"scope=read%3Awidgets&" + {FORM}',
        test=QUESTION,
    ),
    row(
        rule="no-hint-is-sent",
        old=FORM,
        new=f'b"token_type_hint=access_token&" + {FORM}',
        test=QUESTION,
    ),
    row(
        rule="the-user-name-is-form-encoded",
        old="{quote_plus(settings.user)}",
        new="{settings.user}",
        test=CREDENTIALS,
    ),
    row(
        rule="the-password-is-form-encoded",
        old="{quote_plus(settings.password.get_secret_value())}",
        new="{settings.password.get_secret_value()}",
        test=CREDENTIALS,
    ),
    row(
        rule="credentials-both-or-neither",
        old='(info.data.get("user") is None) != (password is None)',
        new="False",
        test=f"{SETTINGS}[other-half]",
    ),
    row(
        rule="credentials-also-without-a-password",
        old='        validate_default=True,\n        alias="HYDRA_ADMIN_PASS"',
        new='        alias="HYDRA_ADMIN_PASS"',
        test=f"{SETTINGS}[half-a-pair]",
    ),
    row(
        rule="the-probe-has-to-be-refused",
        old='raise ProviderUnavailable("active_probe")',
        new="return",
        test=TESTS + "test_a_provider_that_vouches_for_anything_is_not_ready",
    ),
    row(
        rule="a-refused-probe-is-readiness",
        old="except InvalidToken:\n            return",
        new="except InvalidToken:\n            raise",
        test="tests/test_health.py::test_ready_while_the_provider_answers",
    ),
    row(
        rule="the-probe-asks-the-provider",
        old="            await self.verify(PROBE)\n",
        new="            return\n",
        test="tests/test_health.py::test_not_ready_while_the_provider_is_down",
    ),
]
