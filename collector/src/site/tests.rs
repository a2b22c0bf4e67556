use super::*;
use crate::format::fixture;
use crate::map::svg::page as figures;
use crate::map::{self, View};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;

fn xiaomi() -> Vendor {
    Vendor::from_id("xiaomi").expect("a listed vendor")
}

fn singapore() -> Column {
    Column::Country(Country::parse("SG").expect("a code"))
}

/// A page of a site of one release.
fn page(of: &Release, page: Page, language: Language) -> String {
    let site = Site::of(&[of]).expect("a release");
    site.page(Address { language, page }).expect("a page")
}

fn vendor(of: &Release, vendor: Vendor) -> String {
    page(of, Page::Vendor(vendor, Fact::Server), Language::En)
}

fn country(of: &Release, column: Column) -> String {
    page(of, Page::Country(column), Language::En)
}

/// The page of a folder, and one of each kind of the site.
fn pages(of: &Release) -> Vec<String> {
    let english = |of_site| page(of, of_site, Language::En);
    vec![
        index(of),
        vendor(of, xiaomi()),
        country(of, singapore()),
        country(of, Column::Anycast),
        english(Page::World(Fact::Server)),
        english(Page::Weeks),
        english(Page::Method),
    ]
}

#[test]
fn the_page_is_golden_around_the_map() {
    let release = fixture::release();
    let svg = map::svg(&release, View::AllVendors);
    let page = index(&release);
    assert!(
        page.contains(&svg),
        "the page holds the picture's very bytes"
    );
    fixture::golden("index.html", &page.replace(&svg, "<!-- map.svg -->\n"));
}

/// The founding case: three facts in three columns, and no word of where data goes in the end.
#[test]
fn the_vendor_page_is_golden_around_the_map() {
    let release = fixture::release();
    let view = View::Vendor(xiaomi());
    let svg = figures::world(&release, Fact::Server, view, Language::En);
    let page = vendor(&release, xiaomi());
    assert!(
        page.contains(&svg),
        "the page holds the figure's very bytes"
    );
    let columns: Vec<&str> = page
        .split("<td><h3 aria-hidden")
        .skip(1)
        .map(|cell| cell.split("</td>").next().expect("a cell ends"))
        .collect();
    let [server, network, owner] = columns[..] else {
        panic!("three columns, not {}", columns.len())
    };
    for (column, said) in [
        (
            server,
            "server in <b><a href=\"../countries/SG.html\">Singapore</a></b>: 63\u{a0}%",
        ),
        (
            server,
            "server in <b><a href=\"../countries/RU.html\">Russia</a></b>: 38\u{a0}%",
        ),
        (server, "single: one source says so"),
        (server, "DB-IP Lite country (2026-11-01)"),
        (
            server,
            "Host names of its own say: India, Russia and Singapore",
        ),
        (
            network,
            "operator registered in <b><a href=\"../countries/CN.html\">China</a></b>: 75\u{a0}%",
        ),
        (
            network,
            "<li><b>Alibaba Cloud</b>, registered in <a href=\"../countries/CN.html\">China</a></li>",
        ),
        (
            network,
            "phones of at least 10 homes (in at least 3 networks of their own)",
        ),
        (
            owner,
            "owner in <b><a href=\"../countries/CN.html\">China</a></b>: 100\u{a0}%",
        ),
        (
            owner,
            "<li><b>Xiaomi</b>, seat in China, by its own documents; no registry was asked: miui.com and xiaomi.com",
        ),
    ] {
        assert!(column.contains(said), "'{said}' is not in {column}");
    }
    assert!(!page.contains("data sent to"));
    assert!(
        !network.contains("Tencent"),
        "who may be meant is not who is"
    );
    let vivo = Vendor::from_id("vivo").expect("a listed vendor");
    assert!(vendor(&release, vivo).contains("<p>No operator is named.</p>"));
    let named = "<li>Xiaomi: <b>Alibaba Cloud</b>, registered in China; <b>Kingsoft Cloud</b>";
    assert!(index(&release).contains(named));
    let hashed = page.replace(&svg, "<!-- the world -->\n");
    let plain = assets().iter().fold(hashed, |page, asset| {
        let ending = asset.path.rsplit('.').next().expect("an ending");
        page.replace(&asset.path, &format!("assets/site.{ending}"))
    });
    fixture::golden("vendor.html", &plain);
}

#[test]
fn no_world_figure_goes_without_its_homes() {
    let release = fixture::release();
    let told = "30 in Germany, the rest elsewhere or not told";
    let pages = pages(&release);
    assert!(pages[0].contains(told));
    for page in &pages[1..5] {
        assert!(page.contains("30 in Germany; the rest elsewhere or not told"));
    }
    assert!(map::svg(&release, View::AllVendors).contains(told));
}

#[test]
fn the_weighted_column_says_what_it_is() {
    let mut release = fixture::release();
    let page = country(&release, singapore());
    assert!(page.contains("Of observed devices, weighted to shipments of 2020-Q1: 39\u{a0}%"));
    assert!(index(&release).contains("weighted to shipments of 2020-Q1"));
    // Never on the map.
    assert!(!map::svg(&release, View::AllVendors).contains("weighted"));
    for ((of, _), cell) in &mut release.server {
        if of.id() != "xiaomi" {
            *cell = Cell::Suppressed;
        }
    }
    let page = country(&release, singapore());
    assert!(
        page.contains("weighted to shipments of 2020-Q1: suppressed"),
        "{page}"
    );
}

#[test]
fn classes_stand_apart_with_their_owners() {
    let page = index(&fixture::release());
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no '{text}'"));
    let (telemetry, platform) = (at("<h3>Telemetry"), at("<h3>Platform"));
    let (analytics, advertising) = (at("<h3>Analytics"), at("<h3>Advertising"));
    let own = at(
        "Xiaomi</th><td class=\"text\">sa.api.intl.miui.com</td><td class=\"text\">Xiaomi, China</td>",
    );
    let google = at(
        "<td class=\"text\">play.googleapis.com</td><td class=\"text\">Google, United States</td>",
    );
    let meta =
        at("<td class=\"text\">graph.facebook.com</td><td class=\"text\">Meta, United States</td>");
    assert!(telemetry < own && own < platform);
    assert!(platform < google && google < analytics);
    assert!(analytics < meta && meta < advertising);
    let verdict = |row: usize| {
        let row = &page[row..];
        row[..row.find("</tr>").expect("a row ends")].to_owned()
    };
    assert!(verdict(own).contains(">yes: z "), "{}", verdict(own));
    assert!(verdict(google).contains(">no: z "));
}

#[test]
fn every_page_of_an_exercise_says_so_twice() {
    let mut release = fixture::release();
    for page in pages(&release) {
        assert!(
            page.matches("class=\"exercise\"").count() == 2 && page.contains("SYNTHETIC HOMES")
        );
        assert!(page.contains("<title>[Exercise, synthetic homes]"));
    }
    release.purpose = Purpose::Observatory;
    for page in pages(&release) {
        assert!(!page.to_lowercase().contains("synthetic"));
    }
}

#[test]
fn a_page_loads_what_is_ours_and_runs_nothing_else() {
    for (at, page) in pages(&fixture::release()).into_iter().enumerate() {
        for forbidden in [
            "<img", "<iframe", "style=\"", "onload", "onclick", "@import", "url(h", "unsafe",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'; style-src '"));
        if at == 0 {
            assert!(!page.contains("<script") && !page.contains("<link"));
            assert_eq!(page.matches("<style").count(), 1);
            continue;
        }
        assert_eq!(page.matches("<script type=\"module\" src=\"").count(), 1);
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("<style"));
    }
    for asset in assets() {
        let text = asset.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http"), "{} asks a host", asset.path);
    }
    // A folder may lie anywhere: its page links to files beside it, and to the sources it credits.
    let folder = index(&fixture::release());
    for (at, _) in folder.match_indices("href=\"") {
        let to = folder[at + 6..].split('"').next().expect("a value");
        assert!(
            to.starts_with('#') || to.starts_with("https://") || !to.contains('/'),
            "{to}"
        );
    }
}

#[test]
fn every_page_is_there_in_every_language_and_says_so() {
    let release = fixture::release();
    let site = Site::of(&[&release]).expect("a release");
    let first = |address: &Address| matches!(address.page, Page::World(_));
    let two = [Language::En, Language::Ru];
    let some = site
        .addresses()
        .into_iter()
        .filter(|address| first(address) || two.contains(&address.language));
    for address in some {
        let page = site.page(address).expect("a page");
        let (tag, path) = (address.language.tag(), address.path());
        assert!(page.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\"")));
        assert_eq!(
            page.matches(" hreflang=\"").count(),
            2 * Language::ALL.len()
        );
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        let unfilled = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase());
        assert!(!page.split('{').skip(1).any(unfilled), "{path}");
        assert!(
            page.contains("https://db-ip.com"),
            "DB-IP is credited with its link"
        );
    }
}

#[test]
fn each_fact_has_its_own_page_and_none_shows_another() {
    let release = fixture::release();
    for fact in Fact::ALL {
        for of in [Page::World(fact), Page::Vendor(xiaomi(), fact)] {
            let page = page(&release, of, Language::En);
            let by = format!("data-by=\"{}\"", fact.by());
            assert_eq!(
                page.matches("data-by=\"").count(),
                page.matches(&by).count()
            );
            assert!(page.contains(&by));
        }
    }
}

#[test]
fn a_vendor_may_answer() {
    for language in Language::ALL {
        let page = page(
            &fixture::release(),
            Page::Vendor(xiaomi(), Fact::Server),
            language,
        );
        assert!(
            page.contains(language.text("reply.text")),
            "{}",
            language.tag()
        );
    }
}

#[test]
fn what_an_operator_wrote_is_no_markup() {
    let mut release = fixture::release();
    release.atlas[0].licence = "<script>alert(1)</script> https://x\" onclick=\"y".to_owned();
    for page in pages(&release) {
        assert!(!page.contains("<script>") && !page.contains("\" onclick"));
    }
}

#[test]
fn the_table_twin_has_every_state() {
    let page = index(&fixture::release());
    for state in [
        "value",
        "zero",
        "imprecise",
        "suppressed",
        "no_data",
        "not_applicable",
    ] {
        assert!(
            page.contains(&format!("data-state=\"{state}\"><abbr")),
            "{state}"
        );
    }
}

#[test]
fn a_collector_without_releases_has_a_page() {
    assert!(empty().contains("No week has been released yet"));
    assert!(Site::of(&[]).is_none());
}

#[test]
fn the_page_is_small() {
    // Without compression; text of this kind shrinks to a third.
    let page = index(&fixture::release());
    assert!(page.len() <= 240_000, "{} bytes", page.len());
}
