//! How people join and what roles they have.

use crate::bench::{HOUR, NOW, each, later, new_user, some_hash};
use tidemark_base::{ErrorKind, SeededEntropy, threads};
use tidemark_metadata::rules::roles::{Role, Roles};
use tidemark_metadata::{Group, GroupId, Joining, Name, Site, User, UserId};

#[test]
fn the_first_user_owns_the_site_and_closes_the_door() {
    each(|bench| {
        assert!(bench.metadata.is_new().unwrap());
        let owner = bench.owner();
        assert!(owner.roles.global_owner && !bench.metadata.is_new().unwrap());
        let second = bench.metadata.sign_up_first(&new_user("second"), NOW, &mut bench.random());
        let error = second.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("invitation"), "{error}");
        assert!(bench.metadata.user_by_login("second").unwrap().is_none());
    });
}

#[test]
fn where_sign_up_is_left_open_newcomers_have_no_role() {
    each(|bench| {
        let sign_up = |login| bench.metadata.sign_up(&new_user(login), NOW, &mut bench.random());
        assert_eq!(sign_up("early").unwrap_err().kind(), ErrorKind::NotFound, "the first owns the site");
        bench.owner();
        assert_eq!(sign_up("ann").unwrap().roles, Roles::default());
        assert_eq!(sign_up("Ann").unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(sign_up("OWNER").unwrap_err().kind(), ErrorKind::Invalid);
    });
}

#[test]
fn of_two_who_sign_up_first_at_once_one_does() {
    each(|bench| {
        let racers: Vec<_> = (0..3)
            .map(|n| {
                let metadata = bench.metadata.clone();
                threads::spawn("first", move || {
                    let mut random = SeededEntropy::new(n);
                    metadata.sign_up_first(&new_user(&format!("user{n}")), NOW, &mut random).is_ok()
                })
                .unwrap()
            })
            .collect();
        let won = racers.into_iter().map(|it| it.join().unwrap()).filter(|it| *it).count();
        assert_eq!(won, 1, "{}", bench.name);
    });
}

#[test]
fn a_user_is_found_by_login_whatever_the_case() {
    each(|bench| {
        let owner = bench.owner();
        assert_eq!(bench.metadata.user_by_login("OWNER").unwrap().unwrap().record, owner);
        for nobody in ["", "nobody", "owner ", "ow ner", "owner\0", &"x".repeat(10_000)] {
            assert!(bench.metadata.user_by_login(nobody).unwrap().is_none(), "{nobody:?}");
        }
    });
}

#[test]
fn names_of_groups_are_unique_whatever_the_case_and_free_again_after_a_change() {
    each(|bench| {
        let metadata = &bench.metadata;
        let group = bench.group("Ärzte");
        let again = |name: &str| metadata.create_group(Name::new(name).unwrap(), NOW, &mut bench.random());
        assert_eq!(again("ärzte").unwrap_err().kind(), ErrorKind::Invalid);
        metadata.rename_group(group.id, Name::new("ÄRZTE").unwrap()).unwrap();
        let other = bench.group("other");
        assert!(metadata.rename_group(other.id, Name::new("ärzte").unwrap()).is_err());
        metadata.rename_group(group.id, Name::new("new").unwrap()).unwrap();
        again("Ärzte").unwrap();
        assert!(again("NEW").is_err());
        assert_eq!(metadata.get::<Group>(&group.id.to_string()).unwrap().record.name.as_str(), "new");
    });
}

#[test]
fn an_invitation_is_good_once_for_a_week() {
    each(|bench| {
        let (metadata, owner, group) = (&bench.metadata, bench.owner(), bench.group("g"));
        let invite =
            || metadata.invite(group.id, Role::BackupAdmin, owner.id, NOW, &mut bench.random()).unwrap();
        let accept = |shown: &str, login: &str, at| {
            metadata.accept_invitation(shown, &Joining::New(new_user(login)), at, &mut bench.random())
        };
        let token = invite();
        let joined = accept(token.reveal(), "ann", NOW).unwrap();
        assert_eq!(joined.roles.groups.get(&group.id), Some(&Role::BackupAdmin));
        assert!(!joined.roles.global_owner);
        for (shown, at) in [
            (token.reveal(), NOW),
            (invite().reveal(), later(7 * 24 * HOUR)),
            ("", NOW),
            ("tmi_", NOW),
            ("tmi_0000000000000000000000000000000000000000000000000000000000000000", NOW),
        ] {
            let error = accept(shown, "bob", at).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(!error.to_string().contains("tmi_"), "{error}");
        }
        assert!(metadata.user_by_login("bob").unwrap().is_none());
        // A name that is taken does not use the invitation up.
        let token = invite();
        assert_eq!(accept(token.reveal(), "ANN", NOW).unwrap_err().kind(), ErrorKind::Invalid);
        accept(token.reveal(), "bob", later(7 * 24 * HOUR - 1)).unwrap();
        let nowhere =
            metadata.invite(GroupId::from_bytes([9; 12]), Role::Owner, owner.id, NOW, &mut bench.random());
        assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn an_invitation_takes_no_role_away() {
    each(|bench| {
        let (metadata, owner, group) = (&bench.metadata, bench.owner(), bench.group("g"));
        for (role, then) in [
            (Role::BackupAdmin, Role::BackupAdmin),
            (Role::ReadOnly, Role::BackupAdmin),
            (Role::Owner, Role::Owner),
        ] {
            let token = metadata.invite(group.id, role, owner.id, NOW, &mut bench.random()).unwrap();
            let who = Joining::Known(owner.id);
            let user = metadata.accept_invitation(token.reveal(), &who, NOW, &mut bench.random()).unwrap();
            assert_eq!(user.roles.groups.get(&group.id), Some(&then));
            assert!(user.roles.global_owner);
        }
        metadata.set_role(owner.id, group.id, None).unwrap();
        let user = metadata.get::<User>(&owner.id.to_string()).unwrap().record;
        assert!(user.roles.groups.is_empty());
    });
}

#[test]
fn somebody_always_owns_the_site() {
    each(|bench| {
        let (metadata, owner, group) = (&bench.metadata, bench.owner(), bench.group("g"));
        let token = metadata.invite(group.id, Role::Owner, owner.id, NOW, &mut bench.random()).unwrap();
        let who = Joining::New(new_user("second"));
        let second = metadata.accept_invitation(token.reveal(), &who, NOW, &mut bench.random()).unwrap();
        assert!(metadata.set_global_owner(owner.id, false).is_err());
        assert!(metadata.remove_user(owner.id).is_err());
        (0..2).for_each(|_| metadata.set_global_owner(second.id, true).unwrap());
        assert_eq!(metadata.get::<Site>("site").unwrap().record.owners, [owner.id, second.id]);
        // Both leave at once: one of them stays.
        let leave = |id: UserId| {
            let metadata = metadata.clone();
            threads::spawn("leaver", move || metadata.set_global_owner(id, false).is_ok()).unwrap()
        };
        let left = [leave(owner.id), leave(second.id)].map(|it| it.join().unwrap());
        assert_eq!(left.iter().filter(|it| **it).count(), 1, "{}", bench.name);
        let (leaver, stayer) = if left[0] { (owner.id, second.id) } else { (second.id, owner.id) };
        let owners = || metadata.get::<Site>("site").unwrap().record.owners;
        assert_eq!(owners(), [stayer]);
        let owns = |id: UserId| metadata.get::<User>(&id.to_string()).unwrap().record.roles.global_owner;
        assert!(owns(stayer) && !owns(leaver));
        metadata.remove_user(leaver).unwrap();
        assert!(metadata.find::<User>(&leaver.to_string()).unwrap().is_none());
        assert!(metadata.get::<User>(&leaver.to_string()).is_err());
    });
}

#[test]
fn a_removed_users_name_is_free_again() {
    each(|bench| {
        let (metadata, owner, group) = (&bench.metadata, bench.owner(), bench.group("g"));
        let join = || {
            let token =
                metadata.invite(group.id, Role::ReadOnly, owner.id, NOW, &mut bench.random()).unwrap();
            let who = Joining::New(new_user("ann"));
            metadata.accept_invitation(token.reveal(), &who, NOW, &mut bench.random()).unwrap()
        };
        let ann = join();
        metadata.remove_user(ann.id).unwrap();
        assert!(metadata.user_by_login("ann").unwrap().is_none());
        assert_eq!(metadata.remove_user(ann.id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_ne!(join().id, ann.id);
        metadata.set_password(owner.id, &some_hash(2)).unwrap();
        assert_eq!(metadata.user_by_login("owner").unwrap().unwrap().record.password, some_hash(2));
    });
}
