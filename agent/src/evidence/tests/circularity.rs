//! Why phones that are known by the servers they contact are in no share: homes whose truth is known,
//! counted both ways.
//!
//! One phone of a vendor lives in each home, and one in ten contacts a server of the vendor's in
//! Russia. A phone with a made-up address and its factory name is known to be the vendor's only once it
//! contacts a server of the vendor's: so among the phones known so, all do.

use super::*;

/// The claim: phones of this vendor contact this server.
const VENDOR: &str = "xiaomi";
const SERVER: &str = "data.mistat.rus.xiaomi.com";
const TRUTH: f64 = 0.1;

/// What the agent of a home sees of its phone, and whether that contacts the server.
fn phone(home: u32, shows_address: bool) -> (Verdict, bool) {
    let contacts = home.is_multiple_of(10);
    let case = Case {
        mac: Some(if shows_address { XIAOMI } else { MADE_UP }),
        host_name: Some("Redmi-Note-11"),
        wanted: Some(ANDROID),
        servers: if contacts {
            &["connectivitycheck.gstatic.com", SERVER]
        } else {
            &["connectivitycheck.gstatic.com"]
        },
        ..Case::default()
    };
    (case.verdict(), contacts)
}

/// Homes counted, and those of them that contact the server.
#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    n: u32,
    x: u32,
}

impl Share {
    /// The homes whose vendor is stated on a basis that `counts`.
    fn of(phones: &[(Verdict, bool)], counts: impl Fn(Basis) -> bool) -> Self {
        let mut share = Self::default();
        for (verdict, contacts) in phones {
            if let Some(stated) = verdict.stated.filter(|stated| counts(stated.basis)) {
                assert_eq!(stated.vendor.id(), VENDOR, "nobody is taken for another's");
                share.n += 1;
                share.x += u32::from(*contacts);
            }
        }
        share
    }

    /// How many standard errors of a true share the homes lie from it.
    fn errors_from(&self, truth: f64) -> f64 {
        let n = f64::from(self.n);
        (f64::from(self.x) - n * truth) / (n * truth * (1.0 - truth)).sqrt()
    }
}

#[test]
fn counting_circular_homes_would_have_proved_a_false_claim() {
    let anybody = |_| true;
    // Nobody shows an address: every phone known is known by the claim itself.
    let phones: Vec<_> = (0..400).map(|home| phone(home, false)).collect();
    assert_eq!(Share::of(&phones, anybody), Share { n: 40, x: 40 });
    // The rule says that nothing is known here.
    assert_eq!(Share::of(&phones, Basis::is_counted), Share::default());

    // One in three shows its address. These are counted, and tell the truth; the others would have
    // added 26 phones, all of which contact the server.
    let phones: Vec<_> = (0..400).map(|home| phone(home, home % 3 == 0)).collect();
    let counted = Share::of(&phones, Basis::is_counted);
    let naive = Share::of(&phones, anybody);
    assert_eq!(counted, Share { n: 134, x: 14 });
    assert_eq!(naive, Share { n: 160, x: 40 });
    assert!(counted.errors_from(TRUTH).abs() < 1.0);
    assert!(naive.errors_from(TRUTH) > 6.0);
}
