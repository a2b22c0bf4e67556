//! The weighted column in pages: beside the counted shares, with its date, and never in their place.

use super::{Links, numbers};
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::weighted::{self, EFFECTIVE_HOMES_MIN, Shipments, Weighted, WeightedNumbers};
use crate::release::{BasisPoints, Column, Release};
use phonehome_proto::vendor::Vendor;

/// What the column is, and what it is not.
pub(super) fn explanation() -> String {
    let shipments = Shipments::embedded();
    format!(
        "<p>Of observed devices, weighted: homes with phones of the vendors named, each vendor counting \
         for as much as it shipped in {} ({}; noted {}); a home with phones of two counts for each. Shipments are not phones in use, the world's are \
         not those of the homes' countries, and homes that take part choose to; weights mend none of it. \
         <b>Coverage</b> is the part of all shipments that these vendors stand for; <b>effective homes</b> \
         are as many homes of equal weight as would say as much (Kish), and below {EFFECTIVE_HOMES_MIN}, \
         or from one vendor alone, the column is suppressed. No home weighs more than five median homes; \
         <b>moved</b> is the part of the weight this took.</p>\n",
        escape(shipments.period()),
        escape(shipments.source()),
        escape(shipments.date())
    )
}

/// The column for the world: every country with a share above zero.
pub(super) fn table(release: &Release, links: Links) -> String {
    let cells = weighted::weighted(release, Shipments::embedded());
    let mut rows: Vec<(Column, WeightedNumbers)> = Vec::new();
    let (mut zeros, mut suppressed) = (0_u32, 0_u32);
    for (column, cell) in cells {
        match cell {
            Weighted::Shown(numbers) if numbers.share > BasisPoints(0) => {
                rows.push((column, numbers))
            }
            Weighted::Shown(_) => zeros += 1,
            Weighted::Suppressed => suppressed += 1,
        }
    }
    let left_out = format!("Left out here: {zeros} with a share of zero, {suppressed} suppressed.");
    if rows.is_empty() {
        return format!("<p class=\"note\">No country has enough homes. {left_out}</p>\n");
    }
    rows.sort_by_key(|(column, numbers)| (std::cmp::Reverse(numbers.share), *column));
    let heads = [
        "weighted to shipments",
        "low",
        "high",
        "standard error",
        "unweighted",
        "homes",
        "effective homes",
        "design effect",
        "coverage",
        "moved",
    ];
    let heads = heads
        .map(|head| format!("<th scope=\"col\">{head}</th>"))
        .concat();
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>Of observed devices, weighted to shipments of {}. {left_out}\
         </caption>\n<thead><tr><th scope=\"col\" class=\"text\">server in</th>{heads}\
         <th scope=\"col\" class=\"text\">vendors</th></tr></thead>\n<tbody>\n",
        escape(Shipments::embedded().period())
    );
    for (column, numbers) in &rows {
        let name = escape(words::of_column(column));
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>{}<td class=\"text\">{}</td></tr>\n",
            numbers::to_country(links, column, &name),
            figures(numbers),
            escape(&names(&numbers.vendors))
        ));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// One country's cell in a sentence, with everything that belongs beside it.
pub(super) fn sentence(release: &Release, column: Column) -> String {
    let cells = weighted::weighted(release, Shipments::embedded());
    let Some(cell) = cells.get(&column) else {
        return "<p class=\"note\">No vendor has a cell here.</p>\n".to_owned();
    };
    let beside = match cell {
        Weighted::Suppressed => String::new(),
        Weighted::Shown(numbers) => format!(
            ", of about {} homes that weigh as much as {} alike, with phones of {}; unweighted {}, \
             standard error {}, coverage {} of shipments",
            numbers.homes,
            numbers.effective_homes,
            names(&numbers.vendors),
            words::percent(numbers.unweighted),
            numbers.standard_error,
            words::percent(numbers.coverage)
        ),
    };
    format!(
        "<p>Of observed devices, weighted to shipments of {}: {}{}.</p>\n",
        escape(Shipments::embedded().period()),
        escape(&words::of_weighted(cell)),
        escape(&beside)
    )
}

fn figures(numbers: &WeightedNumbers) -> String {
    let texts = [
        numbers.share.to_string(),
        numbers.share_low.to_string(),
        numbers.share_high.to_string(),
        numbers.standard_error.to_string(),
        numbers.unweighted.to_string(),
        numbers.homes.to_string(),
        numbers.effective_homes.to_string(),
        numbers.design_effect.to_string(),
        numbers.coverage.to_string(),
        numbers.moved.to_string(),
    ];
    texts.map(|text| format!("<td>{text}</td>")).concat()
}

fn names(vendors: &[Vendor]) -> String {
    let names: Vec<&str> = vendors.iter().map(|vendor| vendor.name()).collect();
    words::list(&names)
}
