//! Colours as a picture writes them: by value in a file that stands alone, by name in a page, whose
//! style sheet has them for day and night.

use crate::map::classes::{Class, Look, Palette};
use crate::map::words::language::Language;

/// Where a drawing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// In a file of its own, in English.
    Print,
    /// In a page of this language; every country can be reached by keyboard.
    Page(Language),
}

impl Ink {
    /// The language of titles.
    pub(crate) const fn language(self) -> Language {
        match self {
            Self::Print => Language::En,
            Self::Page(language) => language,
        }
    }

    fn attribute(self, attribute: &str, name: &str, colour: &str) -> String {
        match self {
            Self::Print => format!(r#" {attribute}="{colour}""#),
            Self::Page(_) => format!(r#" {attribute}="var(--m-{name})""#),
        }
    }

    /// A fill, by its name in a page's style sheet and its colour in print.
    pub(crate) fn fill(self, name: &str, colour: &str) -> String {
        self.attribute("fill", name, colour)
    }

    /// A stroke, likewise.
    pub(crate) fn stroke(self, name: &str, colour: &str) -> String {
        self.attribute("stroke", name, colour)
    }

    /// The fill of a cell.
    pub(crate) fn paint(self, look: Look) -> String {
        match look {
            Look::Value(class) => self.fill(&format!("k{}", class.number()), class.colour()),
            Look::Zero => self.fill("z", Palette::LIGHT.zero),
            Look::NotApplicable => self.fill("a", Palette::LIGHT.blank),
            Look::Imprecise(_) | Look::Suppressed | Look::NoData => {
                format!(r#" fill="{}""#, look.paint())
            }
        }
    }

    /// The fill of the stipple over a class.
    pub(crate) fn dots(self, class: Class) -> String {
        self.fill(&format!("t{}", class.number()), class.stipple_colour())
    }

    /// Fill and halo of words on a map.
    pub(crate) fn label(self) -> String {
        self.fill("label", "#14181c") + &self.stroke("halo", "#fff")
    }

    /// What makes a country reachable by keyboard in a page; its script moves the one tab stop.
    pub(crate) fn focus(self, code: &str) -> String {
        match self {
            Self::Print => String::new(),
            Self::Page(_) => format!(r#" id="m-{code}" tabindex="-1""#),
        }
    }
}
