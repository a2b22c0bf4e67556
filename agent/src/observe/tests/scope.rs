//! What may widen what is told: the household's word, and nobody else's.

use super::*;

/// What each contact meets under rules a collector has had its say in.
fn met(purpose: Purpose) -> Vec<Result<(), Withheld>> {
    let rules = Rules {
        allowed: BTreeSet::from([tag(1)]),
        purpose,
        list: EndpointList::compiled_in(),
    };
    // All that decides what is told. Of these a manifest has the purpose alone; whoever adds a field says
    // here whose word it is.
    let Rules {
        allowed: _,
        purpose: _,
        // Made by the project, wanted by the household; a manifest can at most have the compiled-in one used.
        list: _,
    } = &rules;
    let mut observer = Observer::new(rules);
    let unlisted = Contact {
        name: Some(("www.example.com", NamedBy::Sni)),
        ..contact()
    };
    let at_home = Contact {
        server: address("192.168.1.9"),
        ..contact()
    };
    let in_documentation_space = Contact {
        server: address("203.0.113.9"),
        ..contact()
    };
    [
        (contact(), tag(1)),
        (contact(), tag(2)),
        (unlisted, tag(1)),
        (at_home, tag(1)),
        (in_documentation_space, tag(1)),
    ]
    .iter()
    .map(|(contact, device)| observer.handle_contact(contact, Some(*device)))
    .collect()
}

#[test]
fn a_collectors_word_widens_nothing_but_exercises() {
    let mut expected = vec![
        Ok(()),
        Err(Withheld::NotAllowed),
        Err(Withheld::Unlisted),
        Err(Withheld::NotPublic),
        Err(Withheld::NotPublic),
    ];
    assert_eq!(met(Purpose::Observatory), expected);
    // Servers of synthetic homes stand in documentation space; no real one does.
    expected[4] = Ok(());
    assert_eq!(met(Purpose::Exercise), expected);
}
