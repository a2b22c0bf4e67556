//! Pages with a map: the world of all vendors, by each of the three facts, of the newest release or an
//! older one; and one vendor's world.

use super::Site;
use super::address::Page;
use super::frame::Writer;
use super::text::linked;
use super::{Links, endpoints, facts};
use crate::geo::network;
use crate::map::classes::{BREAKS, Class, Look};
use crate::map::svg::page;
use crate::map::svg::text::escape;
use crate::map::{self, Fact, View, finding};
use crate::release::{BasisPoints, Column, composition};
use phonehome_proto::vendor::Vendor;

impl Site<'_> {
    /// All vendors.
    pub(super) fn world(&self, writer: &Writer<'_>, fact: Fact) -> String {
        let language = writer.language();
        let title = finding::of_all(writer.release, fact, language);
        let mut body = writer.heading("question", &title);
        body.push_str(&writer.facts(fact));
        body.push_str(&writer.figure(fact, View::World));
        body.push_str(&self.slider(writer));
        body.push_str(&writer.outside(fact, None));
        // Vendors without any number are told apart in the matrix; their rows would say nothing more.
        let matrix = fact.matrix(writer.release);
        let numbers = writer.matrix(language.text("vendor.numbers"), matrix, |vendor, _| {
            composition::homes(matrix, vendor).is_some()
        });
        let table = writer.heat(fact) + &numbers;
        body.push_str(&writer.section("table", "table.title", &table));
        let flows = format!(
            "<figure class=\"wide\" tabindex=\"0\">{}<figcaption>{}</figcaption></figure>\n",
            page::flows(writer.release, fact, language),
            writer.say("flows.reading")
        );
        body.push_str(&writer.section("flows", "flows.title", &flows));
        body.push_str(&writer.section("homes", "homes.title", &writer.homes(None)));
        body.push_str(&writer.reading());
        body.push_str(&writer.downloads(&format!("world-{}", fact.by()), fact));
        writer.page(&title, &body)
    }

    /// Ways to the weeks before and after; the script makes a slider of them.
    fn slider(&self, writer: &Writer<'_>) -> String {
        let links: Vec<String> = self
            .releases
            .iter()
            .rev()
            .map(|release| {
                let current = if release.id == writer.release.id {
                    " aria-current=\"true\""
                } else {
                    ""
                };
                let to = writer.to(Page::Week(release.id));
                format!("<li><a href=\"{to}\"{current}>{}</a></li>", release.id.week)
            })
            .collect();
        if links.len() < 2 {
            return String::new();
        }
        format!(
            "<nav class=\"weeks\" aria-label=\"{}\"><ol>{}</ol></nav>\n",
            writer.say("nav.weeks"),
            links.concat()
        )
    }

    /// One vendor.
    pub(super) fn vendor(&self, writer: &Writer<'_>, vendor: Vendor, fact: Fact) -> String {
        let (language, release) = (writer.language(), writer.release);
        let title = finding::of_vendor(release, fact, vendor, language);
        let mut body = writer.heading("question", &title);
        if !vendor.brands().is_empty() {
            let brands = vendor.brands().join(", ");
            let said = writer.fill("vendor.brands", &[("brands", &brands)]);
            body.push_str(&format!("<p>{said}</p>\n"));
        }
        body.push_str(&writer.facts(fact));
        body.push_str(&writer.figure(fact, View::Vendor(vendor)));
        body.push_str(&writer.outside(fact, Some(vendor)));
        let matrix = fact.matrix(release);
        let numbers = writer.matrix(language.text("vendor.numbers"), matrix, |of, _| {
            of == vendor
        });
        body.push_str(&writer.section("table", "table.title", &numbers));
        body.push_str(&writer.section("homes", "homes.title", &writer.homes(Some(vendor))));
        if self.releases.len() > 1 {
            let weeks = self.panels(writer, fact, &[vendor]);
            body.push_str(&writer.section("weeks", "weeks.title", &weeks));
        }
        let reply = format!("<p>{}</p>\n", writer.say("reply.text"));
        body.push_str(&writer.section("reply", "reply.title", &reply));
        body.push_str(&writer.reading());
        let links = Links::Site(writer.address.page.root());
        let details = format!(
            "<h2 id=\"facts\">Server, network, domain owner</h2>\n{}<h2 id=\"by-endpoint\">By endpoint</h2>\n{}",
            facts::table(release, vendor, links),
            endpoints::section(release, links, Some(vendor))
        );
        body.push_str(&writer.english(&details));
        body.push_str(&writer.downloads(&format!("{}-{}", vendor.id(), fact.by()), fact));
        writer.page(&title, &body)
    }
}

impl Writer<'_> {
    /// A kicker, the finding, and the line under it.
    pub(super) fn heading(&self, kicker: &str, title: &str) -> String {
        format!(
            "<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n{}",
            self.say(kicker),
            escape(title),
            self.lead()
        )
    }

    /// Ways to the same page by the other facts.
    fn facts(&self, fact: Fact) -> String {
        let links = Fact::ALL.map(|other| {
            let current = if other == fact {
                " aria-current=\"true\""
            } else {
                ""
            };
            // The world of an older week is by servers; the others are the newest release's.
            let page = self.address.page.by(other).unwrap_or(Page::World(other));
            format!(
                "<li><a href=\"{}\"{current}>{}</a></li>",
                self.to(page),
                self.say(&format!("fact.{}", other.by()))
            )
        });
        format!(
            "<nav class=\"facts-of\" aria-label=\"{0}\"><p class=\"note\">{0}</p><ul>{1}</ul></nav>\n",
            self.say("fact.choose"),
            links.concat()
        )
    }

    /// A world with its legend.
    pub(super) fn figure(&self, fact: Fact, view: View) -> String {
        let language = self.language();
        let strongest = match view {
            View::Vendor(_) => String::new(),
            _ => format!(" {}", self.say("world.strongest")),
        };
        format!(
            "<figure class=\"map\" data-pages=\"{}\">\n<div class=\"stage\">\n{}</div>\n<p class=\"hint\" hidden>{}</p>\n<figcaption>{}<p>{}{strongest}</p>\n<p>{}</p>\n{}</figcaption>\n</figure>\n",
            format_args!("{}countries/", self.address.page.root()),
            page::world(self.release, fact, view, language),
            self.say("js.hint"),
            self.credit(fact),
            self.say(&format!("measure.{}", fact.by())),
            self.say(&format!("caution.{}", fact.by())),
            self.legend()
        )
    }

    /// Whose work a map is, right under it, so that a picture of the screen holds it too.
    fn credit(&self, fact: Fact) -> String {
        let sources = self.release.atlas.iter();
        let asked: String = match fact {
            // The databases that were asked for places stand before everything else that was asked.
            Fact::Server => sources
                .take_while(|source| source.name != network::SOURCE_NAME)
                .map(|source| format!(" · {}: {}", escape(&source.name), linked(&source.licence)))
                .collect(),
            Fact::Network | Fact::Owner => String::new(),
        };
        format!(
            "<p class=\"credit\" lang=\"en\">Phonehome {}, CC BY 4.0{asked} · Natural Earth</p>\n",
            self.release.id
        )
    }

    fn legend(&self) -> String {
        let language = self.language();
        let percent = |points: u16| language.percent(BasisPoints(points));
        let mut items: Vec<(Look, String)> = Class::all()
            .map(|class| {
                let at = class.number();
                let text = match at {
                    1 => language.fill("legend.under", &[("high", &percent(BREAKS[0]))]),
                    5 => language.fill("legend.over", &[("low", &percent(BREAKS[3]))]),
                    _ => language.fill(
                        "legend.between",
                        &[
                            ("low", &(BREAKS[at - 2] / 100).to_string()),
                            ("high", &percent(BREAKS[at - 1])),
                        ],
                    ),
                };
                (Look::Value(class), text)
            })
            .collect();
        let sample = Class::of(BasisPoints(BREAKS[2]));
        for (look, key) in [
            (Look::Imprecise(sample), "legend.imprecise"),
            (Look::Zero, "legend.zero"),
            (Look::Suppressed, "legend.suppressed"),
            (Look::NoData, "legend.no_data"),
            (Look::NotApplicable, "legend.not_applicable"),
        ] {
            items.push((look, language.text(key).to_owned()));
        }
        let items: String = items
            .into_iter()
            .map(|(look, text)| format!("<li>{}{}</li>\n", page::swatch(look), escape(&text)))
            .collect();
        format!(
            "<p class=\"legend-title\">{}</p>\n<ul class=\"legend\">\n{items}</ul>\n<p class=\"note\">{}</p>\n",
            self.say("legend.title"),
            self.say("legend.discs")
        )
    }

    /// What has no place on a map.
    pub(super) fn outside(&self, fact: Fact, of: Option<Vendor>) -> String {
        let matrix = fact.matrix(self.release);
        let off = |column: &Column| !matches!(column, Column::Country(_));
        let any = matrix
            .iter()
            .any(|((vendor, column), _)| off(column) && of.is_none_or(|of| of == *vendor));
        if !any {
            return String::new();
        }
        let table = self.matrix(
            self.language().text("outside.title"),
            matrix,
            |vendor, column| off(column) && of.is_none_or(|of| of == vendor),
        );
        let body = format!("<p>{}</p>\n{table}", self.say("outside.note"));
        self.section("outside", "outside.title", &body)
    }

    /// In which countries the homes behind the numbers stand.
    pub(super) fn homes(&self, of: Option<Vendor>) -> String {
        let language = self.language();
        let mut lines = String::new();
        for (vendor, composition) in composition::compositions(self.release) {
            if of.is_some_and(|of| of != vendor) {
                continue;
            }
            let mut parts: Vec<String> = Vec::new();
            let mut named: Vec<_> = composition.parts.iter().collect();
            named.sort_by_key(|(country, homes)| (country.is_none(), std::cmp::Reverse(**homes)));
            for (country, homes) in named {
                parts.push(match country {
                    Some(country) => {
                        let country = language.country(*country);
                        let places = [("country", country.as_str())];
                        language
                            .fill("homes.in", &places)
                            .replace("{n}", &language.number(*homes))
                    }
                    None => language
                        .text("homes.others")
                        .replace("{n}", &language.number(*homes)),
                });
            }
            // Of homes that are all in "other countries" nothing is told.
            if composition.parts.keys().all(Option::is_none) {
                parts.clear();
                parts.push(language.text("homes.untold").to_owned());
            } else if composition.leaves_a_rest() {
                parts.push(language.text("homes.rest").to_owned());
            }
            let places = [("vendor", vendor.name())];
            let head = language.counted("homes.of", composition.homes, &places);
            lines.push_str(&format!(
                "<li>{}: {}</li>\n",
                escape(&head),
                escape(&parts.join("; "))
            ));
        }
        if lines.is_empty() {
            return self.nothing();
        }
        format!("<ul>\n{lines}</ul>\n")
    }

    /// How to read it, and what it does not say.
    pub(super) fn reading(&self) -> String {
        let paragraphs = |stem: &str, count: usize, tag: &str| -> String {
            (1..=count)
                .map(|at| format!("<{tag}>{}</{tag}>\n", self.say(&format!("{stem}.{at}"))))
                .collect()
        };
        self.section("reading", "reading.title", &paragraphs("reading", 3, "p"))
            + &self.section(
                "limits",
                "limits.title",
                &format!("<ul>\n{}</ul>\n", paragraphs("limits", 4, "li")),
            )
    }

    /// The picture and the table of this page as files.
    fn downloads(&self, stem: &str, fact: Fact) -> String {
        let (id, by) = (self.release.id, fact.by());
        let table = self.file(&format!("releases/{id}/matrix-{by}"));
        // An older week's pictures are those of its own folder; who has no number has no picture.
        let known = || {
            map::pictures(self.release)
                .into_iter()
                .any(|(of, ..)| of == stem)
        };
        let picture = match self.address.page {
            Page::Week(_) => Some(format!("releases/{id}/map.svg")),
            _ => known().then(|| format!("images/{stem}.svg")),
        };
        let picture = picture.map_or_else(String::new, |path| {
            format!(
                "<li>{}: <a href=\"{}\">SVG</a></li>\n",
                self.say("downloads.picture"),
                self.file(&path)
            )
        });
        let body = format!(
            "<ul>\n{picture}<li>{}: <a href=\"{table}.csv\">CSV</a>, <a href=\"{table}.json\">JSON</a></li>\n<li>{}</li>\n</ul>\n",
            self.say("downloads.table"),
            self.link(Page::Data, self.language().text("data.title"))
        );
        self.section("downloads", "downloads.title", &body)
    }
}
