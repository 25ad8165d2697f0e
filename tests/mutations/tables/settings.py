"""What the environment may say, and that all of it has an effect."""

from tests.mutations.mutation import Mutation

FILE = "app/settings.py"
WIRING = "app/services.py"
TESTS = "tests/test_settings.py::"
WRONG = TESTS + "test_a_wrong_value_is_one_sentence_with_a_way_out"
DECIDED = TESTS + "test_somebody_has_to_say_whom_a_token_must_be_for"
PRIVATE = TESTS + "test_plain_http_is_taken_inside_a_network"
PUBLIC = TESTS + "test_plain_http_is_refused_on_a_public_network"
NO_URL = TESTS + "test_an_address_that_is_none_is_refused"

MUTATIONS = [
    Mutation(
        rule="C5-somebody-has-to-decide",
        file=FILE,
        old="if not (accept_any or audience or client_ids):",
        new="if False:",
        test=DECIDED,
    ),
    Mutation(
        rule="C5-silence-is-no-decision",
        file=FILE,
        old='        validate_default=True,\n        alias="ACCEPT_ANY_AUDIENCE"',
        new='        alias="ACCEPT_ANY_AUDIENCE"',
        test=DECIDED,
    ),
    Mutation(
        rule="C5-one-decision-and-not-two",
        file=FILE,
        old='if accept_any and info.data.get("audience"):',
        new="if False:",
        test=TESTS + "test_an_audience_and_any_audience_contradict_each_other",
    ),
    Mutation(
        rule="C5-a-list-names-somebody",
        file=FILE,
        old="    if not names:",
        new="    if False:",
        test=f"{WRONG}[AUDIENCE-,]",
    ),
    Mutation(
        rule="no-plain-http-on-a-public-network",
        file=FILE,
        old='if parts.scheme == "http" and not is_private(host):',
        new="if False:",
        test=TESTS + "test_plain_http_is_refused_for_an_address_of_the_provider",
    ),
    Mutation(
        rule="a-name-with-dots-is-public",
        file=FILE,
        old='return "." not in name or name.endswith(_PRIVATE_SUFFIXES)',
        new="return True",
        test=f"{PUBLIC}[example.com]",
    ),
    Mutation(
        rule="a-private-suffix-is-a-whole-label",
        file=FILE,
        old='    ".local",\n',
        new='    "local",\n',
        test=f"{PUBLIC}[a.notlocal]",
    ),
    Mutation(
        rule="a-number-is-an-address",
        file=FILE,
        old="        if last[:1].isdigit():\n            return False\n",
        new="",
        test=f"{PUBLIC}[134744072]",
    ),
    Mutation(
        rule="link-local-is-public",
        file=FILE,
        old="any(address in network for network in _PRIVATE_NETWORKS)",
        new="address.is_private",
        test=f"{PUBLIC}[169.254.169.254]",
    ),
    Mutation(
        rule="a-mapped-address-is-its-ipv4",
        file=FILE,
        old="        address = address.ipv4_mapped\n",
        new="        pass\n",
        test=f"{PRIVATE}[::ffff:10.0.0.1]",
    ),
    Mutation(
        rule="an-address-has-plain-characters",
        file=FILE,
        old='if not re.fullmatch(r"[!-~]+", url):',
        new="if False:",
        test=f"{NO_URL}[blank]",
    ),
    Mutation(
        rule="an-address-can-be-read",
        file=FILE,
        old='raise ValueError("is not a URL: set https://, a host and a path") from None',
        new="return url",
        test=f"{NO_URL}[brackets]",
    ),
    Mutation(
        rule="an-address-has-a-scheme-and-a-host",
        file=FILE,
        old='if parts.scheme not in ("http", "https") or not host or port == 0:',
        new="if not host or port == 0:",
        test=f"{NO_URL}[other-scheme]",
    ),
    Mutation(
        rule="L1-an-address-carries-no-credentials",
        file=FILE,
        old='if "@" in parts.netloc:',
        new="if False:",
        test=f"{NO_URL}[credentials]",
    ),
    Mutation(
        rule="an-address-carries-no-query",
        file=FILE,
        old='if "?" in url or "#" in url:',
        new='if "#" in url:',
        test=f"{NO_URL}[empty-query]",
    ),
    Mutation(
        rule="blank-means-unset",
        file=FILE,
        old=" if value.strip()}",
        new="}",
        test=TESTS + "test_blank_means_unset",
    ),
    Mutation(
        rule="a-wrong-environment-stops-the-start",
        file=FILE,
        old='        raise InvalidSettings("\\n".join(sentences))',
        new="        return cls.model_construct(sentences=sentences)",
        test=f"{WRONG}[IDP_TIMEOUT-0]",
    ),
    Mutation(
        rule="the-environment-wins-over-the-file",
        file=FILE,
        old="{**values, **os.environ}",
        new="{**os.environ, **values}",
        test=TESTS + "test_the_environment_wins_over_the_file",
    ),
    Mutation(
        rule="not-a-number-is-no-number",
        file=FILE,
        old=", allow_inf_nan=False",
        new="",
        test=TESTS + "test_a_number_that_is_none_is_refused_without_a_bound_too[nan]",
    ),
    Mutation(
        rule="the-time-limit-is-bounded",
        file=FILE,
        old="        le=30,\n",
        new="",
        test=f"{WRONG}[IDP_TIMEOUT-31]",
    ),
    Mutation(
        rule="the-leeway-is-bounded",
        file=FILE,
        old="        le=60,\n",
        new="",
        test=f"{WRONG}[CLOCK_LEEWAY-61]",
    ),
    Mutation(
        rule="the-leeway-is-not-negative",
        file=FILE,
        old="        ge=0,\n",
        new="",
        test=f"{WRONG}[CLOCK_LEEWAY--1]",
    ),
    Mutation(
        rule="a-body-may-have-a-byte",
        file=FILE,
        old="        ge=1,\n",
        new="",
        test=f"{WRONG}[REQUEST_MAX_BYTES-0]",
    ),
    Mutation(
        rule="L1-a-wrong-value-is-not-repeated",
        file=FILE,
        old='wrong = f"is wrong: set',
        new="""wrong = f"is wrong, not {problem['input']}: set""",
        test=TESTS + "test_a_wrong_value_is_never_repeated",
    ),
    Mutation(
        rule="C6-the-issuer-comes-from-the-settings",
        file=WIRING,
        old="issuer=settings.provider.issuer",
        new="issuer=None",
        test="tests/test_verifier.py::test_one_wrong_claim_refuses_the_token[I4-issuer-is-another]",
    ),
    Mutation(
        rule="C5-the-audience-comes-from-the-settings",
        file=WIRING,
        old="audience=settings.policy.audience",
        new="audience=frozenset()",
        test="tests/test_contract.py::test_other_services_tokens_are_refused",
    ),
    Mutation(
        rule="the-clients-come-from-the-settings",
        file=WIRING,
        old="client_ids=settings.policy.allowed_client_ids",
        new="client_ids=frozenset()",
        test="tests/test_contract.py::test_other_clients_tokens_are_refused",
    ),
    Mutation(
        rule="C1-the-leeway-comes-from-the-settings",
        file=WIRING,
        old="leeway=settings.policy.clock_leeway",
        new="leeway=10",
        test="tests/test_verifier.py::test_a_leeway_of_nothing_is_exact",
    ),
    Mutation(
        rule="I6-the-time-limit-comes-from-the-settings",
        file=WIRING,
        old="time_limit = settings.service.idp_timeout",
        new="time_limit = 5",
        test="tests/test_contract.py::test_a_slow_provider_is_given_up_after_the_time_limit",
    ),
]
