//! Which modules may name which: the layers, crate by crate.

/// Which modules each module of the agent may name. A new edge is argued for where it is added.
pub(super) const AGENT_EDGES: &[(&str, &[&str])] = &[
    ("capture", &["tally"]),
    ("packet", &["capture", "tally"]),
    // The kernel's counters come from `capture` as they are; there is no stage between. Every packet is
    // looked up in tables of `flow` and of `device`: one seeded hash serves both.
    ("flow", &["capture", "hash", "name", "packet", "tally"]),
    ("evidence", &["hash", "packet"]),
    ("device", &["evidence", "hash", "packet", "tally"]),
    ("observe", &["device", "evidence", "tally"]),
    ("batch", &["observe"]),
    // Which keys are the home's own is said where things are sealed.
    ("consent", &["seal"]),
    ("spool", &["durable", "seal", "tally"]),
    ("uplink", &["consent", "seal", "spool"]),
    // Which names are public suffixes is known to the lists that people look with.
    ("endpoints", &["lists"]),
    (
        "state",
        &["device", "durable", "seal", "spool", "tally", "uplink"],
    ),
    // The folders it leaves open are made and handed over as all others are.
    ("sandbox", &["durable"]),
    // How much waits at most is the spool's own noun.
    ("config", &["spool"]),
    ("cli", &["config", "device", "run", "state", "uplink"]),
];

/// The same for the collector.
pub(super) const COLLECTOR_EDGES: &[(&str, &[&str])] = &[
    // Where registries are asked is an address that only `owners` can read; limits and headers of proxies are
    // the nouns of those who keep to them.
    ("config", &["geo", "intake", "owners", "registry", "store"]),
    ("owners", &["geo"]),
    ("identity", &["secret_file"]),
    // Where a home comes from is counted under a key of its own, in a file of its own.
    (
        "registry",
        &["envelope", "geo", "identity", "secret_file", "store"],
    ),
    // An operator's word outlives the database as a home's own does.
    ("revocation", &["identity", "journal", "ledger", "store"]),
    ("verify", &["registry", "store"]),
    (
        "journal",
        &[
            "envelope",
            "geo",
            "identity",
            "secret_file",
            "store",
            "verify",
        ],
    ),
    (
        "intake",
        &[
            "geo",
            "identity",
            "journal",
            // Who has to go when there is no room is decided alike for homes and readers.
            "line",
            "metrics",
            "readiness",
            "registry",
            "store",
            "verify",
            "withdrawal",
        ],
    ),
    // What outlives the database stands beside it.
    ("ledger", &["identity", "store"]),
    ("backup", &["identity", "ledger"]),
    ("metrics", &["intake"]),
    // Shown to the operator alone, on an address of its own.
    ("admin", &["metrics", "readiness"]),
    ("store", &["geo"]),
    (
        "weeks",
        &[
            "count", "enrich", "fold", "format", "geo", "identity", "journal", "metrics",
            "packing", "release", "store",
        ],
    ),
    (
        "withdrawal",
        &[
            "envelope", "identity", "journal", "ledger", "registry", "store",
        ],
    ),
    ("fold", &["geo"]),
    // What a slice of a week adds up to is kept until all slices are there: each says how it is packed.
    ("geo", &["packing"]),
    ("enrich", &["fold", "geo", "packing"]),
    ("count", &["enrich", "fold", "geo", "packing"]),
    ("release", &["count", "geo", "map", "stats"]),
    ("map", &["release"]),
    ("format", &["map", "release"]),
    // Pages say what a release's numbers rest on: who owns a name, whose registry, which tables.
    ("site", &["format", "geo", "map", "release"]),
    ("publish", &["format", "map", "release", "site"]),
    // Who asks too often is told so by place, as homes are; a proxy's word on whom it speaks for is believed
    // by the same rule. Pictures are drawn to size on demand.
    (
        "api",
        &[
            "format", "identity", "intake", "line", "map", "metrics", "publish", "release", "site",
        ],
    ),
    ("query", &["api", "format", "map", "release"]),
];

/// The same for the nouns and the wire.
pub(super) const PROTO_EDGES: &[(&str, &[&str])] = &[
    ("vendor", &["net"]),
    ("census", &["vendor"]),
    ("endpoint", &["limits", "net", "time", "vendor"]),
    ("release_key", &["seal"]),
    (
        "observation",
        &["census", "endpoint", "net", "scale", "vendor"],
    ),
    (
        "batch",
        &["census", "id", "limits", "observation", "scale", "time"],
    ),
    ("seal", &["id"]),
    ("enrolment", &["id", "seal"]),
    ("consent", &["id", "time"]),
    ("manifest", &["id", "seal", "time"]),
    ("receipt", &["id", "manifest", "seal", "time"]),
    ("rotation", &["id", "seal"]),
    ("withdrawal", &["id", "manifest", "time"]),
    (
        "encode",
        &[
            "batch",
            "census",
            "consent",
            "endpoint",
            "enrolment",
            "manifest",
            "net",
            "observation",
            "receipt",
            "rotation",
            "seal",
            "status",
            "time",
            "v1",
            "withdrawal",
        ],
    ),
    (
        "decode",
        &[
            "batch",
            "census",
            "consent",
            "encode",
            "endpoint",
            "enrolment",
            "id",
            "limits",
            "manifest",
            "net",
            "observation",
            "receipt",
            "reject",
            "rotation",
            "scale",
            "seal",
            "status",
            "time",
            "v1",
            "vendor",
            "withdrawal",
        ],
    ),
    ("status", &["reject", "seal", "v1"]),
];
