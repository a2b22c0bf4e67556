//! What a body is, and which of several an asker gets.
//!
//! In this order: the ending of the path, `?format=`, the header `Accept`. Spreadsheets, `read.csv` and DuckDB
//! can set no header, so the address alone must be enough; where it says nothing, `Accept` decides (RFC 9110,
//! section 12.5.1), and where that says nothing either, the first kind of the route.

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Json,
    Csv,
    Parquet,
    GeoJson,
    Svg,
    Png,
    Pdf,
    /// A page without style or script.
    Html,
    /// A page of the site, under its policy.
    Page,
    Css,
    Script,
    JsonLd,
    Text,
}

/// An `Accept` longer than this says nothing.
const ACCEPT_BYTES_MAX: usize = 1_024;

impl Kind {
    /// Those that an address can ask for.
    pub(super) const ALL: [Self; 7] = [
        Self::Json,
        Self::Csv,
        Self::Parquet,
        Self::GeoJson,
        Self::Svg,
        Self::Png,
        Self::Pdf,
    ];

    /// The ending of a path and the value of `format`.
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::GeoJson => "geojson",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
            Self::Html | Self::Page => "html",
            Self::Css => "css",
            Self::Script => "js",
            Self::JsonLd => "jsonld",
            Self::Text => "txt",
        }
    }

    /// Its name on the wire.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::GeoJson => "application/geo+json",
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
            Self::Html | Self::Page => "text/html; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::JsonLd => "application/ld+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// Whether it is text: what is drawn, printed or in columns is packed already.
    pub(super) const fn packs(self) -> bool {
        !matches!(self, Self::Parquet | Self::Png | Self::Pdf)
    }

    /// The same without its parameters.
    pub(super) fn essence(self) -> &'static str {
        let whole = self.media_type();
        whole.split(';').next().unwrap_or(whole)
    }

    /// The kind with this ending.
    pub(super) fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.ending() == ending)
    }

    /// The kind of a published file, by the ending of its name.
    pub(super) fn of_file(name: &str) -> Self {
        let ending = name.rsplit('.').next().unwrap_or_default();
        match ending {
            "html" => Self::Html,
            "css" => Self::Css,
            "js" => Self::Script,
            "jsonld" => Self::JsonLd,
            other => Self::of_ending(other).unwrap_or(Self::Text),
        }
    }

    /// The one of `offers` that `accept` likes best; among equals the first. `None` if it likes none.
    pub(super) fn preferred(accept: &str, offers: &[Self]) -> Option<Self> {
        if accept.is_empty() || accept.len() > ACCEPT_BYTES_MAX {
            return offers.first().copied();
        }
        let mut best: Option<(u16, Self)> = None;
        for &offer in offers {
            let liking = liking(accept, offer.essence());
            if liking > 0 && best.is_none_or(|(most, _)| liking > most) {
                best = Some((liking, offer));
            }
        }
        best.map(|(_, kind)| kind)
    }
}

/// How much a list of ranges likes a type, in thousandths: what the most specific range says that fits. What
/// is no range is passed over.
fn liking(accept: &str, essence: &str) -> u16 {
    let mut found = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let specificity = match name.split_once('/') {
            Some(("*", "*")) => 1,
            Some((family, "*")) if is_family(essence, family) => 2,
            Some(_) if name.eq_ignore_ascii_case(essence) => 3,
            _ => continue,
        };
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1_000), |(_, weight)| thousandths(weight.trim()));
        if let Some(weight) = weight
            && specificity > found.0
        {
            found = (specificity, weight);
        }
    }
    found.1
}

fn is_family(essence: &str, family: &str) -> bool {
    essence
        .split('/')
        .next()
        .is_some_and(|of| of.eq_ignore_ascii_case(family))
}

/// `0.5` is 500; at most three decimals (RFC 9110, section 12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let parts: u16 = format!("{decimals:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(parts),
        "1" if parts == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_kind_is_chosen() {
        let offers = [Kind::Json, Kind::Csv, Kind::Parquet];
        for (accept, expected) in [
            ("", Some(Kind::Json)),
            ("*/*", Some(Kind::Json)),
            ("text/csv", Some(Kind::Csv)),
            ("Text/CSV;header=present", Some(Kind::Csv)),
            ("text/*, application/json;q=0.5", Some(Kind::Csv)),
            ("application/json;q=0, */*;q=0.1", Some(Kind::Csv)),
            (
                "application/vnd.apache.parquet, */*;q=0.9",
                Some(Kind::Parquet),
            ),
            (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                Some(Kind::Json),
            ),
            (
                "text/csv;q=0.001, application/json;q=0.002",
                Some(Kind::Json),
            ),
            ("image/png", None),
            ("application/json;q=0", None),
            ("text/csv;q=7, ///;q, ;", None),
        ] {
            assert_eq!(Kind::preferred(accept, &offers), expected, "{accept}");
        }
        let flood = "text/csv,".repeat(1_000);
        assert_eq!(Kind::preferred(&flood, &offers), Some(Kind::Json));
    }

    #[test]
    fn files_have_the_kinds_of_their_endings() {
        assert_eq!(Kind::of_file("matrix-server.parquet"), Kind::Parquet);
        assert_eq!(Kind::of_file("dataset.jsonld"), Kind::JsonLd);
        assert_eq!(Kind::of_file("SHA256SUMS"), Kind::Text);
        assert_eq!(Kind::of_file("index.html"), Kind::Html);
    }
}
