//! The words that explain: how to read the numbers, what they do not say, where they come from.

use crate::format::json;
use crate::format::table::TableName;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::Release;
use phonehome_proto::seal::PayloadType;

/// How to read map and tables.
pub(super) const READING: &str = "\
<h2 id=\"reading\">How to read it</h2>
<p>A cell says: of the homes that had a phone of this vendor on at least four days of the week (days on which most of what its phones sent \
hid its name do not count), in what share was such a phone seen contacting one of the vendor's own listed servers standing in this country? One home, one vote, \
however many phones it has and however often they call.</p>
<dl>
<dt>Value</dt><dd>The share, from places that two sources agree on: address databases, or a host name that says where it serves from.</dd>
<dt>Imprecise (≈)</dt><dd>The share, but the place rests on one database or the sources disagree, or the \
95 % interval spans more than one colour. Take the interval, not the colour.</dd>
<dt>Zero (0)</dt><dd>Homes enough were asked, and in none of them was it seen.</dd>
<dt>Suppressed (sup.)</dt><dd>Too few homes or networks stand behind it to be shown without pointing at \
somebody. It is not zero, and the cell holds no number anywhere, in no file.</dd>
<dt>No data (–)</dt><dd>No home with such a phone reported.</dd>
<dt>Does not apply (n/a)</dt><dd>The public list knows no endpoint of this vendor's own, so there is nothing to ask about.</dd>
</dl>
<p><b>share</b> lies midway between <b>x_low / n</b> (homes whose place is certain) and <b>x_high / n</b> \
(homes with the country among the candidates); <b>share_low</b> and <b>share_high</b> are the 95 % limits \
(Wilson) around both, wide enough to cover every count that rounds to the one shown. <b>networks</b> and \
<b>radius</b> mean at least so many: the networks the homes stand in, and the homes that would all have to \
lie for the cell to vanish.</p>
<p>Server, network and owner are three separate facts. A server stands in one country, the network it is in is run by a company \
registered in a second, and its domain is owned by a company in a third. None of them stands for another.</p>
<p>Tables by country hold contacts with the vendor's own endpoints and nothing else; platforms, analytics and \
advertising are counted by endpoint, class by class. Every world number is of the homes that took part, and \
stands with the countries those homes are in.</p>
";

/// What the numbers do not say.
pub(super) const LIMITS: &str = "\
<h2 id=\"limits\">What this does not say</h2>
<ul>
<li><b>Not what was sent.</b> No content is seen, by anybody here: only that a connection was made, to which \
listed name, and roughly how much it carried.</li>
<li><b>Not where data ends up.</b> A server in one country may pass everything on to another.</li>
<li><b>Not why.</b> Updates, push messages and measuring look alike from outside, except by name.</li>
<li><b>Not everybody.</b> Homes that take part choose to; they are no random sample of a country or of a \
vendor's customers.</li>
<li><b>Not every phone.</b> A phone whose vendor cannot be told is not counted; names that are hidden or not \
on the public list are not seen.</li>
<li><b>Not an exact place.</b> Address databases err. What two of them disagree on is imprecise here, and \
what is served from many places at once stands outside the map.</li>
</ul>
";

/// Gate, method, sources, boundaries.
pub(super) fn method(release: &Release) -> String {
    let mut out = format!(
        "<h2 id=\"method\">Method and sources</h2>\n<p>{} {}</p>\n<p>{} Complements: where parts that \
         are shown add up to a whole that is shown, what is left over is nothing or passes the gate \
         itself; else the smallest part goes too. {} Method {}. The week closed on {}; nothing about an \
         open week is ever shown.</p>\n<ul>\n",
        escape(&format!(
            "Behind this release stand {}.",
            words::of_homes(release)
        )),
        escape(words::of_sample(release)),
        escape(&words::of_gate(release)),
        escape(&words::of_light(release)),
        release.method,
        escape(&words::of_closing(release)),
    );
    for source in &release.atlas {
        out.push_str(&format!(
            "<li>{} ({}): {}</li>\n",
            escape(&source.name),
            escape(&source.build),
            linked(&source.licence)
        ));
    }
    out.push_str(&format!(
        "<li>Boundaries: {}.</li>\n</ul>\n",
        escape(json::BOUNDARIES)
    ));
    out
}

/// The files of the release, beside the page, how to read them by program, and how to check them.
pub(super) fn files() -> String {
    let base = "";
    let mut out = String::from("<h2 id=\"files\">Files</h2>\n<ul>\n");
    for name in TableName::ALL.map(TableName::file_stem) {
        out.push_str(&format!(
            "<li>{name}: <a href=\"{base}{name}.csv\">CSV</a>, <a href=\"{base}{name}.json\">JSON</a></li>\n"
        ));
    }
    out.push_str(&format!(
        "<li><a href=\"{base}release.json\">release.json</a>: everything in one file; \
         <a href=\"{base}map.svg\">map.svg</a>: the picture</li>\n</ul>\n\
         <pre tabindex=\"0\">pandas : pd.read_csv(\"matrix-server.csv\", keep_default_na=False, na_values=[\"\"])\n\
         R      : read.csv(\"matrix-server.csv\", na.strings = \"\")\n\
         DuckDB : SELECT country, share FROM 'matrix-server.csv' WHERE vendor = 'xiaomi' AND share &gt; 0;\
         </pre>\n"
    ));
    out.push_str(&check(base));
    out
}

/// How to check that no byte of the folder was changed, with this program and without it.
pub(super) fn check(base: &str) -> String {
    let kind = PayloadType::Release.as_str();
    format!(
        "<h3>Check that nothing was changed</h3>\n<pre tabindex=\"0\">phonehome-collector verify . --key KEY</pre>\n\
         <p>KEY is the collector's public key as you know it from elsewhere; the one in \
         <a href=\"{base}collector.pub\">collector.pub</a> proves only that the folder is of one piece. \
         Without that program: <code>sha256sum -c <a href=\"{base}SHA256SUMS\">SHA256SUMS</a></code> \
         checks the files, and <a href=\"{base}SHA256SUMS.sig\">SHA256SUMS.sig</a> is an Ed25519 \
         signature (RFC 8032) over the list in its DSSE encoding:</p>\n\
         <pre tabindex=\"0\">{{ printf 'DSSEv1 {} {kind} %d ' \"$(wc -c &lt; SHA256SUMS)\"; cat SHA256SUMS; }} &gt; /tmp/signed\n\
         xxd -r -p SHA256SUMS.sig &gt; /tmp/signature\n\
         {{ printf 302a300506032b6570032100; cat collector.pub; }} | xxd -r -p &gt; /tmp/key.der\n\
         openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/key.der -rawin \\\n  \
         -in /tmp/signed -sigfile /tmp/signature</pre>\n",
        kind.len()
    )
}

/// Licence and citation.
pub(super) fn cite(release: &Release) -> String {
    format!(
        "<h2 id=\"cite\">Licence and citation</h2>\n<p>Numbers and pictures: {}.</p>\n<p>{}</p>\n",
        linked(json::LICENCE),
        escape(&json::citation(release))
    )
}

/// Text with its https addresses as links; nothing else in it is markup.
pub(super) fn linked(text: &str) -> String {
    text.split_inclusive(' ')
        .map(|word| {
            let bare = word.trim_start_matches('(');
            let (before, bare) = word.split_at(word.len() - bare.len());
            let address = bare.trim_end_matches([' ', ',', '.', ';', ')']);
            let (address, after) = bare.split_at(address.len());
            if address.starts_with("https://") {
                let address = escape(address);
                format!(
                    "{before}<a href=\"{address}\" rel=\"noopener\">{address}</a>{}",
                    escape(after)
                )
            } else {
                escape(word)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_link_within_brackets_too() {
        let link = "<a href=\"https://db-ip.com\" rel=\"noopener\">https://db-ip.com</a>";
        for (text, expected) in [
            ("https://db-ip.com", link.to_owned()),
            (
                "by DB-IP (https://db-ip.com), NRO",
                format!("by DB-IP ({link}), NRO"),
            ),
            ("see https://db-ip.com.", format!("see {link}.")),
            ("<b> (none)", "&lt;b&gt; (none)".to_owned()),
        ] {
            assert_eq!(linked(text), expected);
        }
    }
}
