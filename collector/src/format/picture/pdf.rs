//! The picture as a page: vectors, letters that can be searched, and what archives ask for (PDF/A-2b) as
//! long as the typeface has every letter. A source of the operator's own may be called anything; then the
//! page lacks that letter, and the claim.

use super::Picture;
use crate::format::json;
use crate::map::words;
use crate::release::Release;
use krilla::configure::{Archival, Configuration, ConfigurationBuilder};
use krilla::error::KrillaResult;
use krilla::geom::Size;
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::{Document, SerializeSettings};
use krilla_svg::{SurfaceExt, SvgSettings};

/// Points in a pixel: 72 and 96 to the inch.
const POINTS_PER_PX: f32 = 0.75;

impl Picture {
    /// The picture as one page of PDF, `name` being what it is called in its release's folder. Its only
    /// date is the day the week closed.
    ///
    /// # Panics
    /// If it cannot be drawn: every picture of ours can.
    #[must_use]
    pub fn pdf(&self, release: &Release, name: &str) -> Vec<u8> {
        let archived = ConfigurationBuilder::new()
            .with_archival_validator(Archival::A2_B)
            .finish()
            .expect("one standard contradicts no other");
        self.page(release, name, archived)
            .or_else(|_| self.page(release, name, Configuration::default()))
            .expect("a picture of ours can be drawn")
    }

    fn page(
        &self,
        release: &Release,
        name: &str,
        standard: Configuration,
    ) -> KrillaResult<Vec<u8>> {
        let mut document = Document::new_with(SerializeSettings {
            configuration: standard,
            ..SerializeSettings::default()
        });
        let size = self.tree.size();
        let (width, height) = (size.width() * POINTS_PER_PX, size.height() * POINTS_PER_PX);
        let page = PageSettings::from_wh(width, height).expect("a picture has a size");
        let size = Size::from_wh(width, height).expect("a picture has a size");
        let mut page = document.start_page_with(page);
        let mut surface = page.surface();
        let drawn = surface.draw_svg(&self.tree, size, SvgSettings::default());
        drawn.expect("a tree that was read can be drawn");
        surface.finish();
        page.finish();
        document.set_metadata(metadata(release, name));
        document.finish()
    }
}

fn metadata(release: &Release, name: &str) -> Metadata {
    let exercise =
        words::of_exercise(release).map_or_else(String::new, |words| format!(" · {words}"));
    let metadata = Metadata::new()
        .title(format!(
            "Phonehome release {}: {name}{exercise}",
            release.id
        ))
        .description(format!("{} {}", json::citation(release), json::LICENCE))
        .authors(vec!["Phonehome".to_owned()])
        .creator("phonehome-collector".to_owned())
        .language("en".to_owned())
        .document_id(format!("{}/{name}", release.id));
    match date(release) {
        Some(date) => metadata.creation_date(date),
        None => metadata,
    }
}

/// The day the week closed.
fn date(release: &Release) -> Option<DateTime> {
    let day = release.closed_at.day()?.to_string();
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let date = DateTime::new(year.parse().ok()?);
    Some(
        date.month(month.parse().ok()?)
            .day(day.parse().ok()?)
            .hour(0)
            .minute(0)
            .second(0)
            .utc_offset_hour(0)
            .utc_offset_minute(0),
    )
}
