use super::super::tests::judge;
use super::*;
use crate::fold::fixture::vendor;
use crate::geo::network::Asn;

/// What is told of endpoints of one owner, contacted by so many homes each, none of them twice.
fn told(homes: &[u32]) -> Vec<Option<u32>> {
    let xiaomi = vendor("xiaomi");
    let own = EndpointId::all()
        .filter(|endpoint| endpoint.is_own_of(xiaomi) && endpoint.owner_country().as_str() == "CN");
    let own: Vec<EndpointId> = own.take(homes.len()).collect();
    let mut counters = Counters::default();
    let mut network = 0;
    for (&endpoint, &homes) in own.iter().zip(homes) {
        for _ in 0..homes {
            network += 1;
            let owner = Column::Country(endpoint.owner_country());
            let did = [Question::Owner(owner), Question::Endpoint(endpoint)];
            let did = did.map(|question| (question, PlaceStatus::Confident));
            counters.vote(xiaomi, Some(Asn(network)), Some(None), &did);
        }
    }
    let release = judge(&counters, &GateRules::default());
    let cells = own.iter().map(|&at| &release.endpoints[&(xiaomi, at)]);
    cells
        .map(|cell| cell.numbers().map(|numbers| numbers.x_high))
        .collect()
}

#[test]
fn nine_cannot_be_taken_out_of_an_owners_homes() {
    // 33 less twelve twice would be nine.
    assert_eq!(told(&[12, 12, 9]), [None, None, None]);
    // Fifteen and more say what they say; what is left may be anything from one to fourteen.
    assert_eq!(told(&[40, 12, 9]), [Some(40), None, None]);
    // And whether all that is left are below ten does not show.
    assert_eq!(told(&[40, 9, 9]), [Some(40), None, None]);
}

#[test]
fn what_leaves_enough_open_is_told() {
    assert_eq!(told(&[12]), [Some(10)], "what the owner's cell says");
    assert_eq!(told(&[12, 1]), [Some(10), None]);
    assert_eq!(told(&[20, 30]), [Some(20), Some(30)]);
    assert_eq!(told(&[60, 1]), [Some(60), None]);
}
