//! What every page of the site shares: head, policy, banner, ways to the other pages and languages, foot.
//!
//! A page is whole without its script. Style and script are files of ours, named by what is in them, so
//! that they may be kept for ever; nothing else is loaded, and the policy says so.

use super::address::{Address, Page};
use super::assets;
use crate::map::Fact;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::map::words::language::Language;
use crate::release::Release;
use phonehome_proto::manifest::Purpose;

/// What a page may load: its own style, script and pictures, and other pages of its own.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                          connect-src 'self'; base-uri 'none'; form-action 'none'";

/// Writes one page: where it stands, in which language, of which release.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) address: Address,
    pub(super) release: &'a Release,
}

impl Writer<'_> {
    pub(super) const fn language(&self) -> Language {
        self.address.language
    }

    /// A text of the page's language, as markup.
    pub(super) fn say(&self, key: &str) -> String {
        escape(self.language().text(key))
    }

    /// A filled text, as markup.
    pub(super) fn fill(&self, key: &str, places: &[(&str, &str)]) -> String {
        escape(&self.language().fill(key, places))
    }

    /// The address of a page of the same language, seen from this one.
    pub(super) fn to(&self, page: Page) -> String {
        format!("{}{}", self.address.page.root(), page.path())
    }

    /// A link around text.
    pub(super) fn link(&self, page: Page, text: &str) -> String {
        format!("<a href=\"{}\">{}</a>", self.to(page), escape(text))
    }

    /// A file that stands once for all languages.
    pub(super) fn file(&self, path: &str) -> String {
        format!("{}{path}", self.address.top())
    }

    /// Words that mark an exercise.
    fn banner(&self) -> String {
        match self.release.purpose {
            Purpose::Observatory => String::new(),
            Purpose::Exercise => {
                format!("<p class=\"exercise\">{}</p>\n", self.say("exercise"))
            }
        }
    }

    /// A section with its heading, reachable by `id`.
    pub(super) fn section(&self, id: &str, key: &str, body: &str) -> String {
        format!(
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{body}</section>\n",
            self.say(key)
        )
    }

    /// A part that is written in English only, said and marked where the page is in another language.
    pub(super) fn english(&self, body: &str) -> String {
        if self.language() == Language::En {
            return body.to_owned();
        }
        format!(
            "<p class=\"note\">{}</p>\n<div lang=\"en\" dir=\"ltr\">\n{body}</div>\n",
            self.say("english")
        )
    }

    /// The line under a heading: period, homes, gate, release.
    pub(super) fn lead(&self) -> String {
        let language = self.language();
        let week = self.release.id.week;
        let days = (
            week.monday().to_string(),
            week.next().monday().previous().to_string(),
        );
        let homes = match (self.release.homes, self.release.networks) {
            (Some(homes), networks) => {
                let key = match self.release.purpose {
                    Purpose::Exercise => "lead.synthetic",
                    Purpose::Observatory => "lead.homes",
                };
                let networks = language.number(networks.unwrap_or(0));
                language.counted(key, homes, &[("networks", &networks)])
            }
            (None, _) => language.text("lead.few").to_owned(),
        };
        let parts = [
            language.fill(
                "lead.week",
                &[
                    ("week", &week.to_string()),
                    ("from", &days.0),
                    ("to", &days.1),
                ],
            ),
            homes,
            language.fill("lead.k", &[("k", &self.release.k.to_string())]),
            language.fill("lead.release", &[("id", &self.release.id.to_string())]),
        ];
        format!("<p class=\"lead\">{}</p>\n", escape(&parts.join(" · ")))
    }

    /// The whole page. `body` is markup, `title` is text.
    pub(super) fn page(&self, title: &str, body: &str) -> String {
        let language = self.language();
        let mark = match self.release.purpose {
            Purpose::Observatory => "",
            Purpose::Exercise => "[Exercise, synthetic homes] ",
        };
        let banner = self.banner();
        format!(
            "<!doctype html>\n<html lang=\"{}\" dir=\"{}\" data-purpose=\"{}\">\n<head>\n\
             <meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{mark}{} · Phonehome</title>\n{}</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">{}</a>\n{banner}{}<main id=\"main\">\n{body}</main>\n{}{banner}</body>\n</html>\n",
            language.tag(),
            language.direction(),
            self.release.purpose.as_str(),
            escape(title),
            self.head(),
            self.say("nav.skip"),
            self.navigation(),
            self.foot()
        )
    }

    fn head(&self) -> String {
        let mut out = format!(
            "<link rel=\"icon\" type=\"image/svg+xml\" href=\"{}\">\n<link rel=\"stylesheet\" href=\"{}\">\n\
             <script type=\"module\" src=\"{}\"></script>\n",
            self.file(assets::ICON.path),
            self.file(&assets::style().path),
            self.file(&assets::script().path)
        );
        for language in Language::ALL {
            out.push_str(&format!(
                "<link rel=\"alternate\" hreflang=\"{}\" href=\"{}\">\n",
                language.tag(),
                self.address.to(language)
            ));
        }
        out
    }

    fn navigation(&self) -> String {
        let pages = [
            (Page::World(Fact::Server), "nav.world"),
            (Page::Vendors, "nav.vendors"),
            (Page::Countries, "nav.countries"),
            (Page::Endpoints, "nav.endpoints"),
            (Page::Weeks, "nav.weeks"),
            (Page::Method, "nav.method"),
            (Page::Privacy, "nav.privacy"),
            (Page::Data, "nav.data"),
            (Page::Api, "nav.api"),
        ];
        let links = pages.map(|(page, key)| {
            let current = if page == self.address.page {
                " aria-current=\"page\""
            } else {
                ""
            };
            format!(
                "<li><a href=\"{}\"{current}>{}</a></li>",
                self.to(page),
                self.say(key)
            )
        });
        let languages = Language::ALL.map(|language| {
            let tag = language.tag();
            let current = if language == self.language() {
                " aria-current=\"true\""
            } else {
                ""
            };
            format!(
                "<li><a lang=\"{tag}\" hreflang=\"{tag}\" href=\"{}\"{current}>{}</a></li>",
                self.address.to(language),
                language.own_name()
            )
        });
        let keys = ["theme", "in", "out", "whole", "week"];
        let words = keys.map(|key| format!(" data-{key}=\"{}\"", self.say(&format!("js.{key}"))));
        format!(
            "<header class=\"top\"{}><p class=\"brand\"><a href=\"{}\">Phonehome</a></p>\n\
             <nav aria-label=\"{}\"><ul>{}</ul></nav>\n<nav class=\"languages\" aria-label=\"{}\"><ul>{}</ul></nav></header>\n",
            words.concat(),
            self.to(Page::World(Fact::Server)),
            self.say("nav.pages"),
            links.concat(),
            self.say("nav.languages"),
            languages.concat()
        )
    }

    /// Sources and licence, with the links that licences ask for.
    fn foot(&self) -> String {
        let mut out = format!(
            "<footer>\n<h2>{}</h2>\n<p>{}</p>\n<ul>\n",
            self.say("sources.title"),
            self.say(match self.release.purpose {
                Purpose::Exercise => "sample.exercise",
                Purpose::Observatory => "sample.observatory",
            })
        );
        let gate = [
            ("max", self.release.network_homes_max.to_string()),
            ("k", self.release.k.to_string()),
            ("rounding", self.release.rounding.to_string()),
        ];
        let gate = gate.each_ref().map(|(name, value)| (*name, value.as_str()));
        out.push_str(&format!("<li>{}</li>\n", self.fill("sources.gate", &gate)));
        for source in &self.release.atlas {
            out.push_str(&format!(
                "<li lang=\"en\">{} ({}): {}</li>\n",
                escape(&source.name),
                escape(&source.build),
                super::text::linked(&source.licence)
            ));
        }
        out.push_str(&format!(
            "<li>{}</li>\n<li>{}</li>\n<li>{} <a href=\"https://creativecommons.org/licenses/by/4.0/\" rel=\"noopener\">CC BY 4.0</a></li>\n</ul>\n<p lang=\"en\">{}</p>\n</footer>\n",
            self.say("sources.borders"),
            self.say("sources.names"),
            self.say("sources.licence"),
            escape(&crate::format::json::citation(self.release))
        ));
        debug_assert!(words::of_exercise(self.release).is_none() || !self.banner().is_empty());
        out
    }
}
