//! Every path there is: what answers it, and what is said of it.
//!
//! A path of the API stands here once, with its parameters and kinds; the router, the check of parameters
//! and the description at /openapi.json are all made of it. Pages for people stand beside, undescribed.

use super::asked::Asked;
use super::kind::Kind;
use super::reply::Reply;
use super::selection::ONE;
use super::{Problem, Shelf, guide, page, v1};

/// What answers a route: the shelf and what was asked, to an answer or a refusal.
pub(super) type Handler = fn(&Shelf, &Asked) -> Result<Reply, Problem>;

/// A path of the API.
pub(super) struct Route {
    /// As axum writes it; one with several kinds and no parts answers with each ending as well.
    pub(super) path: &'static str,
    pub(super) handler: Handler,
    /// What it gives, in a line.
    pub(super) summary: &'static str,
    /// The parameters of its query.
    pub(super) parameters: &'static [&'static str],
    /// What it gives, the first unless another is asked for.
    pub(super) kinds: &'static [Kind],
    /// The schema of its JSON.
    pub(super) schema: &'static str,
    /// Whether it may take long, and so must wait its turn.
    pub(super) is_heavy: bool,
}

const fn route(path: &'static str, handler: Handler, summary: &'static str) -> Route {
    Route {
        path,
        handler,
        summary,
        parameters: &[],
        kinds: &[Kind::Json],
        schema: "",
        is_heavy: false,
    }
}

/// The API.
pub(super) const ROUTES: &[Route] = &[
    Route {
        kinds: &[Kind::Text],
        ..route(
            "/healthz",
            page::healthz,
            "Whether the process answers; nothing about any week",
        )
    },
    Route {
        schema: "Description",
        ..route("/openapi.json", page::openapi, "This description")
    },
    Route {
        kinds: &[Kind::Svg],
        is_heavy: true,
        ..route("/map.svg", page::map, "The newest release's map")
    },
    Route {
        kinds: &[Kind::Text],
        is_heavy: true,
        ..route(
            "/releases/{id}/{file}",
            page::file,
            "A file of a release, as in its published folder; its kind follows from its name",
        )
    },
    Route {
        parameters: v1::LIST,
        schema: "Releases",
        ..route(
            "/v1/releases",
            v1::releases,
            "Facts about every release, the newest first",
        )
    },
    Route {
        schema: "ReleaseAnswer",
        ..route(
            "/v1/releases/{id}",
            v1::release,
            "Everything one release says",
        )
    },
    Route {
        parameters: v1::MATRIX,
        kinds: v1::MATRIX_KINDS,
        schema: "MatrixAnswer",
        ..route(
            "/v1/matrix",
            v1::matrix,
            "A whole matrix: vendors by countries",
        )
    },
    Route {
        parameters: v1::ENDPOINTS,
        kinds: v1::TABLE_KINDS,
        schema: "EndpointsAnswer",
        ..route("/v1/endpoints", v1::endpoints, "The table of endpoints")
    },
    Route {
        parameters: v1::OPERATORS,
        kinds: v1::TABLE_KINDS,
        schema: "OperatorsAnswer",
        ..route(
            "/v1/operators",
            v1::operators,
            "Operators of networks that are named: those in whose networks phones of homes enough met their \
             vendor's own endpoints",
        )
    },
    Route {
        parameters: v1::MATRIX,
        kinds: v1::TABLE_KINDS,
        schema: "MatrixAnswer",
        ..route(
            "/v1/countries/{code}",
            v1::country,
            "The rows of one country in a matrix",
        )
    },
    Route {
        parameters: v1::MATRIX,
        kinds: v1::TABLE_KINDS,
        schema: "MatrixAnswer",
        ..route(
            "/v1/vendors/{id}",
            v1::vendor,
            "The rows of one vendor in a matrix",
        )
    },
    Route {
        parameters: &ONE,
        schema: "Maps",
        ..route("/v1/maps", v1::maps, "The maps of a release")
    },
    Route {
        parameters: v1::MAP,
        kinds: v1::MAP_KINDS,
        is_heavy: true,
        ..route(
            "/v1/maps/{map}",
            v1::map,
            "A map as SVG, PNG of any width, or PDF",
        )
    },
    Route {
        parameters: &ONE,
        kinds: &[Kind::Html],
        is_heavy: true,
        ..route(
            "/embed/{map}",
            v1::embed,
            "A page with one map, to be put in a frame",
        )
    },
];

/// Pages for people: a path, what answers it, whether it may take long.
pub(super) const PAGES: &[(&str, Handler, bool)] = &[
    ("/", page::home, false),
    ("/releases", page::releases, false),
    ("/releases/{id}", page::release, true),
    ("/releases/{id}/", page::release, true),
    ("/vendors/{id}", page::vendor, false),
    ("/countries/{code}", page::country, false),
    ("/v1", guide::viewer, false),
    ("/problems", guide::problems, false),
    ("/problems/{name}", guide::problem, false),
];

impl Route {
    /// The paths it answers at, with the kind that each names.
    pub(super) fn paths(&self) -> Vec<(String, Option<Kind>)> {
        let mut paths = vec![(self.path.to_owned(), None)];
        if self.has_endings() {
            let endings = self.kinds.iter();
            paths.extend(
                endings.map(|kind| (format!("{}.{}", self.path, kind.ending()), Some(*kind))),
            );
        }
        paths
    }

    /// Whether the last part of its path may end in the name of a kind.
    pub(super) fn has_endings(&self) -> bool {
        !self.path.contains('{') && self.kinds.len() > 1
    }
}
