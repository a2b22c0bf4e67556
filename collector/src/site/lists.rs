//! Lists that lead to pages: vendors, countries, endpoints, weeks.

use super::Site;
use super::address::Page;
use super::frame::Writer;
use crate::map::svg::page;
use crate::map::svg::text::escape;
use crate::map::svg::weeks as multiples;
use crate::map::{Fact, finding};
use crate::release::{Cell, Column};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

impl Site<'_> {
    /// Every vendor of the list, with its finding.
    pub(super) fn vendors(&self, writer: &Writer<'_>) -> String {
        let language = writer.language();
        let items: String = Vendor::all()
            .map(|vendor| {
                let found = finding::of_vendor(writer.release, Fact::Server, vendor, language);
                format!(
                    "<li>{}<br>{}</li>\n",
                    writer.link(Page::Vendor(vendor, Fact::Server), vendor.name()),
                    escape(&found)
                )
            })
            .collect();
        self.list(writer, "nav.vendors", "vendors.lead", &items)
    }

    /// Every country of any of the three tables, and what stands for none.
    pub(super) fn countries(&self, writer: &Writer<'_>) -> String {
        let language = writer.language();
        let mut named: Vec<(String, Column)> = self
            .columns()
            .into_iter()
            .map(|column| (language.column(&column), column))
            .collect();
        named.sort_by_key(|(name, column)| (!matches!(column, Column::Country(_)), name.clone()));
        let items: String = named
            .iter()
            .map(|(name, column)| {
                format!("<li>{}</li>\n", writer.link(Page::Country(*column), name))
            })
            .collect();
        self.list(writer, "nav.countries", "countries.lead", &items)
    }

    /// Every endpoint above the gate, class by class.
    pub(super) fn endpoints(&self, writer: &Writer<'_>) -> String {
        let mut of: BTreeMap<_, Vec<EndpointId>> = BTreeMap::new();
        for endpoint in self.told_endpoints() {
            of.entry(endpoint.class().as_str())
                .or_default()
                .push(endpoint);
        }
        let mut body = String::new();
        for class in ["core", "telemetry", "platform", "analytics", "advertising"] {
            let Some(endpoints) = of.get(class) else {
                continue;
            };
            let items: String = endpoints
                .iter()
                .map(|endpoint| {
                    let link = writer.link(Page::Endpoint(*endpoint), endpoint.pattern());
                    format!("<li>{link} – {}</li>\n", escape(endpoint.owner_name()))
                })
                .collect();
            body.push_str(&format!(
                "<h2>{}</h2>\n<ul class=\"columns\">\n{items}</ul>\n",
                writer.say(&format!("class.{class}"))
            ));
        }
        self.listed(writer, "nav.endpoints", "endpoints.lead", &body)
    }

    /// All weeks: the list, and for every vendor a panel and its numbers.
    pub(super) fn weeks(&self, writer: &Writer<'_>) -> String {
        let items: String = self
            .releases
            .iter()
            .map(|release| {
                let id = release.id.to_string();
                let week = release.id.week;
                let said = format!(
                    "{id} ({} – {})",
                    week.monday(),
                    week.next().monday().previous()
                );
                let folder = writer.file(&format!("releases/{id}/"));
                format!(
                    "<li>{} · <a href=\"{folder}index.html\">{}</a></li>\n",
                    writer.link(Page::Week(release.id), &said),
                    writer.say("weeks.folder")
                )
            })
            .collect();
        let oldest_first = self.oldest_first();
        let vendors = multiples::vendors(&oldest_first, Fact::Server);
        let mut body = format!("<ul>\n{items}</ul>\n");
        if self.releases.len() > 1 {
            let panels = self.panels(writer, Fact::Server, &vendors);
            body.push_str(&writer.section("multiples", "weeks.title", &panels));
        }
        self.listed(writer, "nav.weeks", "weeks.lead", &body)
    }

    /// Panels of weeks, and their numbers as a table with the plain mean.
    pub(super) fn panels(&self, writer: &Writer<'_>, fact: Fact, vendors: &[Vendor]) -> String {
        let language = writer.language();
        let releases = self.oldest_first();
        let heads: String = releases
            .iter()
            .map(|release| format!("<th scope=\"col\">{}</th>", release.id.week))
            .collect();
        let mut rows = String::new();
        for vendor in vendors {
            for column in multiples::columns(&releases, fact, *vendor) {
                let cells = releases
                    .iter()
                    .map(|of| fact.matrix(of).get(&(*vendor, column)));
                let cells: Vec<Option<&Cell>> = cells.collect();
                rows.push_str(&format!(
                    "<tr><th scope=\"row\">{} · {}</th>",
                    escape(vendor.name()),
                    escape(&language.column(&column))
                ));
                for cell in &cells {
                    let said = cell.map_or_else(
                        || language.text("state.no_data").to_owned(),
                        |cell| match cell.numbers() {
                            Some(numbers) => language.percent(numbers.share),
                            None => language.text(&format!("state.{}", cell.state())).to_owned(),
                        },
                    );
                    rows.push_str(&format!("<td>{}</td>", escape(&said)));
                }
                rows.push_str(&format!("<td>{}</td></tr>\n", mean(&cells, writer)));
            }
        }
        format!(
            "<figure class=\"wide\" tabindex=\"0\">{}<figcaption>{}</figcaption></figure>\n\
             <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{1}\"><table><caption>{}</caption>\n<thead><tr><th scope=\"col\" class=\"text\">{}</th>{heads}<th scope=\"col\">{}</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
            page::weeks(&releases, fact, vendors, language),
            writer.say("weeks.reading"),
            writer.say("weeks.title"),
            writer.say("table.vendor"),
            writer.say("weeks.mean")
        )
    }

    fn list(&self, writer: &Writer<'_>, title: &str, lead: &str, items: &str) -> String {
        let body = format!("<ul class=\"columns\">\n{items}</ul>\n");
        self.listed(writer, title, lead, &body)
    }

    fn listed(&self, writer: &Writer<'_>, title: &str, lead: &str, body: &str) -> String {
        let head = format!(
            "<h1>{}</h1>\n{}<p>{}</p>\n",
            writer.say(title),
            writer.lead(),
            writer.say(lead)
        );
        writer.page(writer.language().text(title), &(head + body))
    }
}

/// The plain mean of the weeks that have a number; it is no share of homes, and says so above.
fn mean(cells: &[Option<&Cell>], writer: &Writer<'_>) -> String {
    let shares: Vec<u32> = cells
        .iter()
        .filter_map(|cell| Some(u32::from(cell.as_ref()?.numbers()?.share.0)))
        .collect();
    let Some(count) = u32::try_from(shares.len()).ok().filter(|count| *count > 0) else {
        return String::new();
    };
    let points = (shares.iter().sum::<u32>() + count / 2) / count;
    let points = u16::try_from(points).unwrap_or(u16::MAX);
    writer
        .language()
        .percent(crate::release::BasisPoints(points))
}
