//! How a cell looks: five fixed classes, and the five other states, each with a form of its own.
//!
//! The breaks are the same for every vendor and every week, so that two maps can be compared; they
//! have this one home, and the gate asks [`spans_classes`] when it decides what is imprecise.
//! Colours are five steps of cividis (Nuñez, Anderton and Renslow, 2018), light for little and dark
//! for much, tested to differ under three kinds of colour blindness and in greyscale. No state is
//! told by colour alone.

use crate::release::{BasisPoints, Cell};

/// Where one class ends and the next begins, in basis points; a share at a break is in the upper one.
pub const BREAKS: [u16; 4] = [1_000, 2_500, 5_000, 7_500];

/// One of the five classes of a share above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(usize);

/// How a cell is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// The class's colour.
    Value(Class),
    /// The class's colour under stipple.
    Imprecise(Class),
    /// The palest colour, with an outline.
    Zero,
    /// Light grey under dark dots.
    Suppressed,
    /// White under a hatch.
    NoData,
    /// White within a dashed outline.
    NotApplicable,
}

/// The colours of all looks, for light or dark surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Of the five classes, from little to much.
    pub classes: [&'static str; 5],
    /// What is drawn over them where they are imprecise.
    pub stipples: [&'static str; 5],
    /// Of words on them.
    pub words: [&'static str; 5],
    /// The ground of a zero cell.
    pub zero: &'static str,
    /// The ground of a suppressed cell.
    pub suppressed: &'static str,
    /// The ground of cells without data, and of cells that do not apply.
    pub blank: &'static str,
    /// Dots, hatches and outlines.
    pub ink: &'static str,
}

impl Palette {
    /// On white: light for little, dark for much.
    pub const LIGHT: Self = Self {
        classes: ["#dac561", "#a09978", "#6e6c70", "#34496d", "#001c49"],
        // What is drawn over a class's colour must differ from it: dark on light, light on dark.
        stipples: ["#6b5a00", "#4b4630", "#f2f0ea", "#dfe6f2", "#c9d6ee"],
        words: ["#14181c", "#14181c", "#ffffff", "#ffffff", "#ffffff"],
        zero: "#f6f6f2",
        suppressed: "#dcdcdc",
        blank: "#ffffff",
        ink: "#4a4f55",
    };
    /// On black: the same steps the other way round, since there much is what shines.
    pub const DARK: Self = Self {
        classes: ["#2f4470", "#5c6070", "#868274", "#bba963", "#fbe45b"],
        stipples: ["#b9c6e3", "#e9e9ee", "#141412", "#2e2a12", "#6a5c00"],
        words: ["#ffffff", "#ffffff", "#0c0f12", "#0c0f12", "#0c0f12"],
        zero: "#22272d",
        suppressed: "#3a4149",
        blank: "#0c0f12",
        ink: "#b4bbc3",
    };
}

/// The ground of a zero cell in print.
pub const ZERO_COLOUR: &str = Palette::LIGHT.zero;
/// The ground of a suppressed cell in print.
pub const SUPPRESSED_COLOUR: &str = Palette::LIGHT.suppressed;
/// Dots, hatches and outlines in print.
pub const INK_COLOUR: &str = Palette::LIGHT.ink;

const COLOURS: [&str; 5] = Palette::LIGHT.classes;
const STIPPLES: [&str; 5] = Palette::LIGHT.stipples;
const LABELS: [&str; 5] = [
    "under 10 %",
    "10 to 25 %",
    "25 to 50 %",
    "50 to 75 %",
    "75 % and more",
];

// === impl Class ===

impl Class {
    /// All five, from little to much.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COLOURS.len()).map(Self)
    }

    /// The class a share belongs to.
    #[must_use]
    pub fn of(share: BasisPoints) -> Self {
        Self(BREAKS.iter().filter(|&&at| share.0 >= at).count())
    }

    /// 1 to 5.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0 + 1
    }

    /// What the legend says, `10 to 25 %`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        LABELS[self.0]
    }

    /// Its colour, `#rrggbb`.
    #[must_use]
    pub const fn colour(self) -> &'static str {
        COLOURS[self.0]
    }

    /// The colour of the stipple over it.
    #[must_use]
    pub const fn stipple_colour(self) -> &'static str {
        STIPPLES[self.0]
    }
}

/// Whether an interval lies in more than one class, so that its map colour would claim too much.
#[must_use]
pub fn spans_classes(low: BasisPoints, high: BasisPoints) -> bool {
    Class::of(low) != Class::of(high)
}

// === impl Look ===

impl Look {
    /// How this cell is drawn.
    #[must_use]
    pub fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Value(numbers) => Self::Value(Class::of(numbers.share)),
            Cell::Imprecise(numbers) => Self::Imprecise(Class::of(numbers.share)),
            Cell::Zero(_) => Self::Zero,
            Cell::Suppressed => Self::Suppressed,
            Cell::NoData => Self::NoData,
            Cell::NotApplicable => Self::NotApplicable,
        }
    }

    /// What fills it, as an SVG paint; patterns are those of `map::patterns`.
    #[must_use]
    pub fn paint(self) -> String {
        match self {
            Self::Value(class) => class.colour().to_owned(),
            Self::Imprecise(class) => format!("url(#p-imprecise-{})", class.number()),
            Self::Zero => ZERO_COLOUR.to_owned(),
            Self::Suppressed => "url(#p-suppressed)".to_owned(),
            Self::NoData => "url(#p-no-data)".to_owned(),
            Self::NotApplicable => "#ffffff".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
