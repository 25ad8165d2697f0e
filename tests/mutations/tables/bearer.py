"""From the header to the route: the request's token, the caller and the scopes."""

from tests.mutations.mutation import Mutation

FILE = "app/auth/bearer.py"
CONTRACT = "tests/test_contract.py::"
NO_TOKEN = CONTRACT + "test_a_request_without_a_token_gets_a_bare_challenge"
IN_QUERY = CONTRACT + "test_a_token_in_header_and_query_is_an_invalid_request"
MALFORMED = CONTRACT + "test_a_malformed_token_is_refused_before_anyone_is_asked"
ANY_CASE = CONTRACT + "test_the_scheme_is_read_in_any_case"
SCOPE = CONTRACT + "test_a_missing_scope_is_refused"
LOGGED = "tests/test_logs.py::test_a_refusal_is_logged_with_its_reason_and_without_the_token"

MUTATIONS = [
    Mutation(
        rule="H1-no-header-is-no-error",
        file=FILE,
        old='raise NotAuthenticated("no_header")',
        new='raise InvalidToken("no_header")',
        test=f"{NO_TOKEN}[H1-no-header]",
    ),
    Mutation(
        rule="H2-another-scheme-is-no-error",
        file=FILE,
        old='raise NotAuthenticated("other_scheme")',
        new='raise InvalidToken("other_scheme")',
        test=f"{NO_TOKEN}[H2-basic]",
    ),
    Mutation(
        rule="H2-a-longer-scheme-is-another",
        file=FILE,
        old="""bearer(?![!#$%&'*+.^_`|~0-9a-z-])""",
        new="bearer",
        test=f"{NO_TOKEN}[H2-longer-scheme]",
    ),
    Mutation(
        rule="H3-the-scheme-alone-is-no-error",
        file=FILE,
        old='raise NotAuthenticated("no_token")',
        new='raise InvalidToken("no_token")',
        test=f"{NO_TOKEN}[H3-scheme-alone]",
    ),
    Mutation(
        rule="H3-blanks-are-no-token",
        file=FILE,
        old='.strip(b" ")\n    if not token',
        new="[1:]\n    if not token",
        test=f"{NO_TOKEN}[H3-blanks-after-the-scheme]",
    ),
    Mutation(
        rule="H4-the-whole-token-is-looked-at",
        file=FILE,
        old="stripped.translate(",
        new="stripped[:1].translate(",
        test=f"{MALFORMED}[H4-two-words]",
    ),
    Mutation(
        rule="H4-the-alphabet",
        file=FILE,
        old="string.ascii_letters + string.digits",
        new="string.ascii_letters + string.digits + string.punctuation",
        test=f"{MALFORMED}[H4-quotes]",
    ),
    Mutation(
        rule="H4-padding-is-at-the-end",
        file=FILE,
        old='"-._~+/"',
        new='"-._~+/="',
        test=f"{MALFORMED}[H4-equals-inside]",
    ),
    Mutation(
        rule="H4-padding-alone-is-no-token",
        file=FILE,
        old='stripped != b"" and ',
        new="",
        test=f"{MALFORMED}[H4-equals-alone]",
    ),
    Mutation(
        rule="H4-a-blank-follows-the-scheme",
        file=FILE,
        old='credentials[scheme.end()] != ord(" ") or not',
        new="not",
        test=f"{MALFORMED}[H4-slash-for-a-blank]",
    ),
    Mutation(
        rule="H5-one-header",
        file=FILE,
        old="if len(values) > 1:",
        new="if False:",
        test=CONTRACT + "test_two_headers_are_an_invalid_request",
    ),
    Mutation(
        rule="H7-the-header-is-the-only-place",
        file=FILE,
        old='raise NotAuthenticated("no_header")',
        new='values = [b"Bearer " + scope["query_string"].partition(b"=")[2]]',
        test=CONTRACT + "test_a_token_in_the_query_is_no_token",
    ),
    Mutation(
        rule="H7-not-in-the-query-too",
        file=FILE,
        old="if token_in_query(scope):",
        new="if False:",
        test=f"{IN_QUERY}[access_token]",
    ),
    Mutation(
        rule="H7-the-query-is-decoded",
        file=FILE,
        old='parse_qsl(query.decode("latin-1"), keep_blank_values=True)',
        new='(pair.split("=") for pair in query.decode("latin-1").split("&"))',
        test=f"{IN_QUERY}[access%5Ftoken]",
    ),
    Mutation(
        rule="H7-an-empty-value-counts",
        file=FILE,
        old="keep_blank_values=True",
        new="keep_blank_values=False",
        test=CONTRACT + "test_an_empty_token_in_the_query_is_an_invalid_request_too",
    ),
    Mutation(
        rule="H8-the-scheme-has-no-case",
        file=FILE,
        old=", re.IGNORECASE)",
        new=")",
        test=f"{ANY_CASE}[BEARER]",
    ),
    Mutation(
        rule="H8-several-blanks",
        file=FILE,
        old='token = credentials[scheme.end() :].strip(b" ")',
        new="token = credentials[scheme.end() + 1 :]",
        test=f"{ANY_CASE}[Bearer ]",
    ),
    Mutation(
        rule="H9-length",
        file=FILE,
        old="if len(token) > MAX_TOKEN_LENGTH:",
        new="if False:",
        test=f"{MALFORMED}[H9-just-too-long]",
    ),
    Mutation(
        rule="H9-the-longest-token",
        file=FILE,
        old="if len(token) > MAX_TOKEN_LENGTH:",
        new="if len(token) >= MAX_TOKEN_LENGTH:",
        test="tests/test_verifier.py::test_the_longest_token_is_asked_about",
    ),
    Mutation(
        rule="user-routes-take-users",
        file=FILE,
        old="            check_caller(principal, self.machine)\n",
        new="",
        test=CONTRACT + "test_a_user_route_takes_users_only",
    ),
    Mutation(
        rule="machine-routes-take-machines",
        file=FILE,
        old="if machine is not None and principal.is_machine is not machine:",
        new="if machine is False and principal.is_machine:",
        test=CONTRACT + "test_a_machine_route_takes_machines_only",
    ),
    Mutation(
        rule="C9-scopes-are-asked-for",
        file=FILE,
        old="            check_scopes(principal, security_scopes.scopes)\n",
        new="",
        test=f"{SCOPE}[scopes0]",
    ),
    Mutation(
        rule="C9-scopes-are-whole-words",
        file=FILE,
        old="if not principal.scopes.issuperset(required):",
        new='if not all(want in " ".join(principal.scopes) for want in required):',
        test=f"{SCOPE}[scopes2]",
    ),
    Mutation(
        rule="C9-every-scope-of-the-route",
        file=FILE,
        old="if not principal.scopes.issuperset(required):",
        new="if required and principal.scopes.isdisjoint(required):",
        test=CONTRACT + "test_a_route_with_two_scopes_needs_both",
    ),
    Mutation(
        rule="L1-the-token-is-logged-as-a-hash",
        file=FILE,
        old='hashlib.sha256(token.encode()).hexdigest()[:12] if token else "-"',
        new='token or "-"',
        test="tests/test_logs.py::test_no_log_line_and_no_answer_holds_a_token",
    ),
    Mutation(
        rule="every-refusal-is-logged",
        file=FILE,
        old="            log_refusal(refusal, token)\n",
        new="",
        test=LOGGED,
    ),
]
