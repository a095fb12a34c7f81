//! Keys of agents and of the API, and which agent is active.

use crate::bench::{NOW, each, later};
use tidemark_base::ErrorKind;
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::rules::roles::{Permission, Principal, Role, Roles};
use tidemark_metadata::{
    AgentKey, ApiKey, By, Collection, GroupId, HostName, Name, Query, ReplicaSetId, SealingKey, Seed,
    SetName, Standing, Subject,
};

#[test]
fn an_agents_key_names_its_group_until_it_is_revoked() {
    each(|bench| {
        let (metadata, owner) = (&bench.metadata, bench.owner());
        let (one, two) = (bench.group("one"), bench.group("two"));
        let make = |group| {
            let name = Name::new("agents").unwrap();
            metadata.create_agent_key(group, name, owner.id, NOW, &mut bench.random())
        };
        let (a, b) = (make(one.id).unwrap(), make(two.id).unwrap());
        assert_eq!(metadata.agent_of_key(a.reveal()).unwrap(), Some(Principal::Agent(one.id)));
        let agent = metadata.agent_of_key(b.reveal()).unwrap().unwrap();
        assert!(agent.may(Permission::AgentWork, Some(two.id)));
        assert!(
            !agent.may(Permission::AgentWork, Some(one.id)) && !agent.may(Permission::View, Some(two.id))
        );
        assert_eq!(make(GroupId::from_bytes([9; 12])).unwrap_err().kind(), ErrorKind::NotFound);

        let keys = metadata.all::<AgentKey>(By::Key(&one.id.to_string())).unwrap();
        assert_eq!(keys.len(), 1);
        metadata.remove::<AgentKey>(&keys[0].record.token.as_id()).unwrap();
        assert_eq!(metadata.agent_of_key(a.reveal()).unwrap(), None);
        assert!(metadata.agent_of_key(b.reveal()).unwrap().is_some());
        for shown in ["", "tma_", "x"] {
            assert_eq!(metadata.agent_of_key(shown).unwrap(), None);
        }
    });
}

#[test]
fn nothing_that_opens_anything_is_stored_in_the_clear() {
    each(|bench| {
        let (metadata, owner, group) = (&bench.metadata, bench.owner(), bench.group("g"));
        let sealing = SealingKey::from_bytes(&[4; 32]);
        let name = Name::new("key").unwrap();
        let roles = Roles::in_group(group.id, Role::Owner);
        let agent =
            metadata.create_agent_key(group.id, name.clone(), owner.id, NOW, &mut bench.random()).unwrap();
        let api = metadata.create_api_key(name, roles, owner.id, &sealing, NOW, &mut bench.random()).unwrap();
        let session = metadata.begin_session(&owner, NOW, &mut bench.random()).unwrap();
        let invitation = metadata.invite(group.id, Role::Owner, owner.id, NOW, &mut bench.random()).unwrap();
        let hashes = api.record.digest_hashes(&sealing).unwrap();
        let secrets = [
            agent.reveal()[4..].to_owned(),
            session.reveal()[4..].to_owned(),
            invitation.reveal()[4..].to_owned(),
            String::from_utf8(api.private.reveal().to_vec()).unwrap(),
            hex(&hashes.md5),
            hex(&hashes.sha256),
        ];
        for collection in Collection::ALL {
            let query = Query { by: By::IdPrefix(""), after: None, limit: 1000 };
            for document in bench.store.scan(*collection, query).unwrap() {
                let text = format!("{} {:?} {}", document.id, document.key, document.body);
                assert!(!secrets.iter().any(|it| text.contains(it)), "{collection} {}", document.id);
            }
        }
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[test]
fn an_api_key_is_for_one_group_or_the_site_and_opens_with_its_own_seal() {
    each(|bench| {
        let (metadata, owner) = (&bench.metadata, bench.owner());
        let (one, two) = (bench.group("one"), bench.group("two"));
        let sealing = SealingKey::from_bytes(&[4; 32]);
        let make = |roles| {
            let name = Name::new("key").unwrap();
            metadata.create_api_key(name, roles, owner.id, &sealing, NOW, &mut bench.random())
        };
        let both =
            Roles { groups: [(one.id, Role::Owner), (two.id, Role::Owner)].into(), global_owner: false };
        for bad in
            [both, Roles::default(), Roles { global_owner: true, ..Roles::in_group(one.id, Role::Owner) }]
        {
            assert_eq!(make(bad).unwrap_err().kind(), ErrorKind::Invalid);
        }
        let key = make(Roles::in_group(one.id, Role::ReadOnly)).unwrap().record;
        let other = make(Roles::global()).unwrap().record;
        let stored = metadata.get::<ApiKey>(&hex(&key.public)).unwrap().record;
        assert_eq!(stored, key);
        let hashes = stored.digest_hashes(&sealing).unwrap();
        assert_ne!(hashes, other.digest_hashes(&sealing).unwrap());
        let swapped = ApiKey { digest: other.digest, ..key };
        assert!(swapped.digest_hashes(&sealing).is_err(), "a seal is good in its own place only");
        assert!(stored.digest_hashes(&SealingKey::from_bytes(&[5; 32])).is_err());
        let listed = |key: &str| metadata.all::<ApiKey>(By::Key(key)).unwrap().len();
        assert_eq!((listed(&one.id.to_string()), listed(&two.id.to_string()), listed("site")), (1, 0, 1));
        metadata.remove::<ApiKey>(&hex(&stored.public)).unwrap();
        assert!(metadata.find::<ApiKey>(&hex(&stored.public)).unwrap().is_none());
    });
}

#[test]
fn one_agent_is_active_and_another_takes_over_when_it_is_silent() {
    each(|bench| {
        let (metadata, group) = (&bench.metadata, bench.group("g").id);
        let id = ReplicaSetId::from_bytes([3; 12]);
        let seed = |n: u16| Seed { host: HostName::new("db1").unwrap(), port: 27017 + n };
        let report = |seeds: &[Seed], ms| {
            metadata.report_replica_set(group, id, &SetName::new("rs0").unwrap(), seeds, later(ms))
        };
        assert_eq!(report(&[], 0).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(report(&vec![seed(0); 51], 0).unwrap_err().kind(), ErrorKind::Invalid);
        report(&[seed(0)], 0).unwrap();
        let holder = |name: &str| Holder { name: Subject::new(name).unwrap(), incarnation: [1; 8] };
        let stands = |name: &str, ms| {
            metadata.stand_for_agent(group, id, &holder(name), later(ms)).unwrap() == Standing::Active
        };
        assert!(stands("a", 0));
        let known = report(&[seed(0), seed(1)], 500).unwrap();
        assert_eq!((known.created_at, known.seeds.len()), (NOW, 2));
        assert!(known.active.is_some_and(|it| it.is_of(&holder("a"))), "a report takes no lease away");
        assert!(!stands("b", 1000) && stands("a", 60_000) && !stands("b", 149_999));
        assert!(stands("b", 150_000) && !stands("a", 150_001));
        let elsewhere = metadata.stand_for_agent(GroupId::from_bytes([9; 12]), id, &holder("a"), NOW);
        assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::NotFound);
    });
}
