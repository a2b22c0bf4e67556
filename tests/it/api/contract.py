"""What schemathesis cannot read in the description of the API: a check of ours, and rules without words there."""

import schemathesis

# OpenAPI describes each parameter by itself. A request may fit all of them and break a rule between two, name
# a week 53 in a year without one, or bring a cursor that nobody signed. These refusals are meant.
MEANT = [
    "a range begins with 'from'",
    "a range has at most 53 weeks",
    "give a week, a release or a range, not two of them",
    "holds one week",
    "it is an ISO week",
    "it is a release, 2026-W46.0, or latest",
    "only a PNG has one",
    "the path ends in another",
    "the range ends before it begins",
    "there is no GeoJSON of homes",
    "this cursor was not given by this collector",
]


@schemathesis.check
def refusals_are_problems_of_the_list(ctx, response, case):
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/problem+json"], response.headers
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}, problem
    assert problem["status"] == response.status_code, problem
    page = problem["type"].removeprefix("/problems/")
    assert page.replace("-", " ").capitalize() == problem["title"], problem


@schemathesis.hook
def filter_failure(context, failure, case, response):
    name = type(failure).__name__
    if name == "AcceptedNegativeData":
        # Too long an address, or headers, are rejected with statuses that it does not know.
        return response.status_code not in (414, 431)
    if name == "RejectedPositiveData" and response.status_code == 400:
        detail = response.json()["detail"]
        return not any(rule in detail for rule in MEANT)
    return True
