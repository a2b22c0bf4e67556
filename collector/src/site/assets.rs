//! Files that pages share: the style sheet, the script, the icon. Names hold what is in them, so a
//! copy may be kept for ever and a page never meets another program's script.

use crate::map::classes::Palette;
use phonehome_proto::id::Hash;
use std::sync::LazyLock;

/// A shared file.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its path from the top, `assets/site-0a1b2c3d.css`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// A shared file whose name never changes.
pub(super) struct Fixed {
    pub(super) path: &'static str,
    text: &'static str,
}

const STYLE: &str = include_str!("site.css");
const SCRIPT: &str = include_str!("site.js");

/// A phone with a dot that leaves it.
pub(super) const ICON: Fixed = Fixed {
    path: "assets/icon.svg",
    text: "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect x=\"5\" y=\"2\" width=\"14\" height=\"28\" rx=\"3\" fill=\"#34496d\"/><path d=\"M14 12q8-6 12 2\" fill=\"none\" stroke=\"#dac561\" stroke-width=\"3\"/><circle cx=\"26\" cy=\"17\" r=\"4\" fill=\"#dac561\"/></svg>\n",
};

/// The style sheet: colours of the map for day and night, then everything else.
pub(super) fn style() -> &'static Asset {
    static ASSET: LazyLock<Asset> = LazyLock::new(|| {
        let day = colours(
            &Palette::LIGHT,
            "#eef3f8",
            "#dde6ee",
            "#a9b1ba",
            "#14181c",
            "#ffffff",
        );
        let night = colours(
            &Palette::DARK,
            "#101418",
            "#1d242b",
            "#4d5762",
            "#eef1f4",
            "#0c0f12",
        );
        let text = format!(
            ":root{{{day}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{night}}}}}\n\
             @media screen{{:root[data-theme=dark]{{{night}}}}}\n{STYLE}"
        );
        named("css", text)
    });
    &ASSET
}

/// The script: an ES module without which every page is whole.
pub(super) fn script() -> &'static Asset {
    static ASSET: LazyLock<Asset> = LazyLock::new(|| named("js", SCRIPT.to_owned()));
    &ASSET
}

/// All of them.
#[must_use]
pub fn assets() -> Vec<Asset> {
    let icon = Asset {
        path: ICON.path.to_owned(),
        text: ICON.text.to_owned(),
    };
    vec![style().clone(), script().clone(), icon]
}

fn named(ending: &str, text: String) -> Asset {
    let hash = Hash::of(text.as_bytes()).to_hex();
    Asset {
        path: format!("assets/site-{}.{ending}", &hash[..12]),
        text,
    }
}

/// The colours of [`crate::map::svg::Ink`] by name.
fn colours(
    palette: &Palette,
    sea: &str,
    line: &str,
    coast: &str,
    label: &str,
    halo: &str,
) -> String {
    let mut out = String::new();
    for (at, (class, stipple)) in palette.classes.iter().zip(palette.stipples).enumerate() {
        let (number, words) = (at + 1, palette.words[at]);
        out.push_str(&format!(
            "--m-k{number}:{class};--m-t{number}:{stipple};--m-w{number}:{words};"
        ));
    }
    out + &format!(
        "--m-z:{};--m-s:{};--m-a:{};--m-ink:{};--m-edge:{halo};--m-sea:{sea};--m-line:{line};\
         --m-coast:{coast};--m-label:{label};--m-halo:{halo}",
        palette.zero, palette.suppressed, palette.blank, palette.ink
    )
}
