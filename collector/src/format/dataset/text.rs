//! `README.md` and `METHOD.md`: what lies in the folder, and what its numbers mean.

use super::{Column, Dataset, LICENCE_TITLE, LICENCE_URL, Resource, STATES, columns, title_of};
use crate::format::json;
use crate::format::table::TableName;
use crate::map::words;
use std::fmt::Write;

/// What lies in the folder.
pub(super) fn readme(dataset: &Dataset<'_>) -> String {
    let release = dataset.release;
    let mut out = format!("# {}\n\n", dataset.title);
    if let Some(exercise) = words::of_exercise(release) {
        write!(out, "**{exercise}**\n\n").expect("a String");
    }
    write!(out, "{}\n\n", dataset.description).expect("a String");
    write!(
        out,
        "`index.html` is the release to read, `METHOD.md` says how the numbers come about and what they do \
         not say, `CITATION.cff` how to cite it. `datapackage.json` and `dataset.jsonld` describe it to \
         programs.\n\n| file | what | bytes |\n|---|---|---|\n"
    )
    .expect("a String");
    for Resource {
        name, title, bytes, ..
    } in &dataset.resources
    {
        writeln!(out, "| `{name}` | {title} | {bytes} |").expect("a String");
    }
    out.push_str("\n## Columns\n\n");
    for table in TableName::ALL {
        let names: Vec<&str> = columns(table).iter().map(|column| column.name).collect();
        writeln!(out, "- {}: `{}`", title_of(table), names.join(",")).expect("a String");
    }
    out.push('\n');
    for Column { name, title, .. } in columns(TableName::Home).into_iter().chain(
        columns(TableName::Endpoints)
            .into_iter()
            .filter(|of| of.name == "endpoint"),
    ) {
        writeln!(out, "- `{name}`: {title}.").expect("a String");
    }
    write!(
        out,
        "\nStates: {}. In the last three a row holds no number: not in CSV, where the fields are empty, and \
         not in any other file, where they are `null` or absent.\n\n",
        STATES.join(", ")
    )
    .expect("a String");
    out.push_str(
        "## To check it\n\n\
         `SHA256SUMS` lists every file but itself and its signature; `sha256sum -c SHA256SUMS` compares \
         them. `SHA256SUMS.sig` is an Ed25519 signature of the list by the key in `collector.pub`; \
         `phonehome-collector verify .` checks both, and `--key HEX` that the key is the one you know the \
         collector by. `releases.txt` lists this release and all before it, each line hashed with the one \
         before, so that none can be changed or left out later without every later release showing \
         it.\n\n",
    );
    write!(
        out,
        "## Licence and sources\n\nNumbers and pictures: {LICENCE_TITLE} ({LICENCE_URL}).\n\n> {}\n\n",
        dataset.citation
    )
    .expect("a String");
    for source in dataset.sources() {
        writeln!(
            out,
            "- {} ({}): {}",
            source.name, source.build, source.licence
        )
        .expect("a String");
    }
    writeln!(out, "- Boundaries: {}", json::BOUNDARIES).expect("a String");
    out
}

/// How the numbers come about, and what they do not say.
pub(super) fn method(dataset: &Dataset<'_>) -> String {
    let release = dataset.release;
    let mut out = format!("# Method {}, release {}\n\n", release.method, release.id);
    if let Some(exercise) = words::of_exercise(release) {
        write!(out, "**{exercise}**\n\n").expect("a String");
    }
    write!(out, "{QUESTION}\n\n{}\n\n", words::of_sample(release)).expect("a String");
    out.push_str("## Gate\n\n");
    write!(out, "{} {COMPLEMENT}\n\n", words::of_gate(release)).expect("a String");
    out.push_str("## Places\n\n");
    write!(out, "{PLACES} {}\n\n", words::of_light(release)).expect("a String");
    write!(
        out,
        "## Intervals\n\n{INTERVALS}\n\n## What this does not say\n\n{LIMITS}"
    )
    .expect("a String");
    out
}

const QUESTION: &str = "\
A cell answers: of the homes that had a phone of this vendor on at least four days of the week, in what share was
such a phone seen contacting one of the vendor's own listed endpoints standing in this country? One home, one vote,
however many phones it has and however often they call. Server, network and owner are three separate facts: where a
server stands, where the operator of its network is registered, where the owner of its domain is. None of them
stands for another. In the table by endpoint the question is whether the endpoint was contacted at all.";

const COMPLEMENT: &str = "\
Networks of hosting companies, of VPNs and unknown ones weigh nothing in this sum. Counts are rounded before
anything is derived from them. Where parts that are shown add up to a whole that is shown, what is left over is
nothing or passes the gate itself; else the smallest part is suppressed too. A vendor's own endpoints with fewer homes
than the gate and one rounding step together are suppressed where what is told of their owner could bound another's
count too closely.";

const PLACES: &str = "\
A place is a set of candidates: every country that a source names for the whole address prefix. It is confident if
two sources agree, single if only one speaks, disputed if they differ; anycast if the address answers from many
places at once; unknown if no source knows it. Homes whose place is certain count in x_low, homes with the country
among the candidates in x_high. A cell whose place rests on one source, or whose interval spans more than one class
of the map, is imprecise.";

const INTERVALS: &str = "\
share_low is Wilson's lower limit (95 %) of x_low / n, share_high the upper limit of x_high / n, of every count that
rounds to the one shown. share lies midway between x_low / n and x_high / n. networks and radius mean at least so
many.";

const LIMITS: &str = "\
- Not what was sent: no content is seen, only that a connection was made, and to which listed name.
- Not where data ends up: a server in one country may pass everything on to another.
- Not why: updates, push messages and measuring look alike from outside, except by name.
- Not everybody: homes that take part choose to.
- Not every phone: one whose vendor cannot be told is not counted, and names that are hidden are not seen.
- Not an exact place: address databases err.
";
