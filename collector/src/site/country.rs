//! The page of one country, or of what stands for none; and the page of one endpoint.

use super::address::Page;
use super::frame::Writer;
use super::tables::Row;
use super::{Site, weighted};
use crate::map::svg::text::escape;
use crate::map::{self, Fact, View, finding};
use crate::release::Column;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;

impl Site<'_> {
    /// Which vendors' phones meet something there, by each fact apart; and the homes that stand there.
    pub(super) fn country(&self, writer: &Writer<'_>, column: Column) -> String {
        let (language, release) = (writer.language(), writer.release);
        let name = language.column(&column);
        let title = language.fill("country.title", &[("country", &name)]);
        let mut body = writer.heading("question", &title);
        for fact in Fact::ALL {
            let key = format!("country.{}", fact.by());
            let table = writer.matrix(language.text(&key), fact.matrix(release), |_, of| {
                *of == column
            });
            let said = format!(
                "<p>{}</p>\n{table}",
                writer.say(&format!("caution.{}", fact.by()))
            );
            body.push_str(&writer.section(fact.by(), &key, &said));
        }
        if let Column::Country(country) = column
            && map::home_countries(release).contains(&country)
        {
            body.push_str(&writer.section("homes-here", "homes.map", &homes_here(writer, country)));
        }
        body.push_str(&writer.section("homes", "homes.title", &writer.homes(None)));
        let weighted = format!(
            "<h2 id=\"weighted\">Weighted to shipments</h2>\n{}{}",
            weighted::sentence(release, column),
            weighted::explanation()
        );
        body.push_str(&writer.english(&weighted));
        body.push_str(&writer.reading());
        writer.page(&title, &body)
    }

    /// One listed name: whose it is, and which vendors' phones were seen contacting it.
    pub(super) fn endpoint(&self, writer: &Writer<'_>, endpoint: EndpointId) -> String {
        let (language, release) = (writer.language(), writer.release);
        let owner = language.country(endpoint.owner_country());
        let lead = writer.fill(
            "endpoint.lead",
            &[
                ("owner", endpoint.owner_name()),
                ("country", &owner),
                (
                    "class",
                    language.text(&format!("class.{}", endpoint.class().as_str())),
                ),
            ],
        );
        let region = endpoint.region().map_or_else(String::new, |country| {
            let country = language.country(country);
            let said = writer.fill("endpoint.region", &[("country", &country)]);
            format!("<p>{said}</p>\n")
        });
        let cells = release.endpoints.iter();
        let rows =
            cells
                .filter(|((_, of), _)| *of == endpoint)
                .map(|((vendor, _), cell)| -> Row<'_> {
                    let page = Page::Vendor(*vendor, Fact::Server);
                    (vec![writer.link(page, vendor.name())], cell)
                });
        let table = writer.numbers(endpoint.pattern(), &["table.vendor"], rows);
        let body = format!(
            "<h1>{}</h1>\n{}<p>{lead}</p>\n{region}{table}{}",
            escape(endpoint.pattern()),
            writer.lead(),
            writer.reading()
        );
        writer.page(endpoint.pattern(), &body)
    }
}

/// The world of homes in one country, and its numbers.
fn homes_here(writer: &Writer<'_>, country: Country) -> String {
    let (language, release) = (writer.language(), writer.release);
    let cells = release.home.iter();
    let rows = cells
        .filter(|((_, _, home), _)| *home == Some(country))
        .map(|((vendor, column, _), cell)| -> Row<'_> {
            let names = vec![
                writer.link(Page::Vendor(*vendor, Fact::Server), vendor.name()),
                writer.link(Page::Country(*column), &language.column(column)),
            ];
            (names, cell)
        });
    let names = ["table.vendor", "table.country"];
    format!(
        "<p>{}</p>\n{}{}",
        escape(&finding::of_home(release, country, language)),
        writer.figure(Fact::Server, View::Home(country)),
        writer.numbers(language.text("homes.map"), &names, rows)
    )
}
