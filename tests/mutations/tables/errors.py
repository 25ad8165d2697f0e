"""What a refusal looks like to the caller: status, challenge, body."""

from tests.mutations.mutation import Mutation

FILE = "app/auth/errors.py"
CONTRACT = "tests/test_contract.py::"
NO_TOKEN = CONTRACT + "test_a_request_without_a_token_gets_a_bare_challenge[H1-no-header]"
TWO_HEADERS = CONTRACT + "test_two_headers_are_an_invalid_request"
UNKNOWN = CONTRACT + "test_an_unknown_token_is_refused"
SCOPE = CONTRACT + "test_a_missing_scope_is_refused[scopes0]"
USERS = CONTRACT + "test_a_user_route_takes_users_only"
OUTAGE = CONTRACT + "test_a_provider_that_is_down_is_not_the_callers_fault"

MUTATIONS = [
    Mutation(
        rule="not-authenticated-is-401",
        file=FILE,
        old='status = 401\n    detail = "Not authenticated"',
        new='status = 403\n    detail = "Not authenticated"',
        test=NO_TOKEN,
    ),
    Mutation(
        rule="not-authenticated-has-no-error-code",
        file=FILE,
        old='    detail = "Not authenticated"',
        new='    code = "invalid_token"\n    detail = "Not authenticated"',
        test=NO_TOKEN,
    ),
    Mutation(
        rule="invalid-request-is-400",
        file=FILE,
        old="status = 400",
        new="status = 401",
        test=TWO_HEADERS,
    ),
    Mutation(
        rule="invalid-token-is-401",
        file=FILE,
        old='status = 401\n    code = "invalid_token"',
        new='status = 403\n    code = "invalid_token"',
        test=UNKNOWN,
    ),
    Mutation(
        rule="insufficient-scope-is-403",
        file=FILE,
        old='status = 403\n    code = "insufficient_scope"',
        new='status = 401\n    code = "insufficient_scope"',
        test=SCOPE,
    ),
    Mutation(
        rule="the-challenge-names-the-scopes",
        file=FILE,
        old='challenge(realm, self.code, scope=" ".join(self.required))',
        new="challenge(realm, self.code)",
        test=SCOPE,
    ),
    Mutation(
        rule="wrong-caller-is-403",
        file=FILE,
        old="    status = 403\n\n",
        new="    status = 401\n\n",
        test=USERS,
    ),
    Mutation(
        rule="wrong-caller-has-no-challenge",
        file=FILE,
        old="        return {}\n",
        new="        return super().headers(realm)\n",
        test=USERS,
    ),
    Mutation(
        rule="I6-an-outage-is-no-401",
        file=FILE,
        old="status = 503",
        new="status = 401",
        test=OUTAGE,
    ),
    Mutation(
        rule="I6-an-outage-has-no-challenge",
        file=FILE,
        old='return {"Retry-After": str(self.retry_after)}',
        new='return {**super().headers(realm), "Retry-After": str(self.retry_after)}',
        test=OUTAGE,
    ),
    Mutation(
        rule="I6-an-outage-says-when-to-come-back",
        file=FILE,
        old='return {"Retry-After": str(self.retry_after)}',
        new="return {}",
        test=OUTAGE,
    ),
    Mutation(
        rule="the-challenge-names-the-realm",
        file=FILE,
        old='parts = {"realm": realm, ',
        new="parts = {",
        test=NO_TOKEN,
    ),
    Mutation(
        rule="the-order-of-the-challenge",
        file=FILE,
        old='"error": error, "scope": scope}',
        new='"scope": scope, "error": error}',
        test=SCOPE,
    ),
    Mutation(
        rule="the-caller-never-learns-the-reason",
        file=FILE,
        old='{"detail": error.detail}',
        new='{"detail": error.reason}',
        test=UNKNOWN,
    ),
    Mutation(
        rule="every-invalid-token-looks-the-same",
        file=FILE,
        old="challenge(realm, self.code)}\n\n\nclass NotAuthenticated",
        new="challenge(realm, self.reason)}\n\n\nclass NotAuthenticated",
        test=UNKNOWN,
    ),
]
