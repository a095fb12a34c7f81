//! Users and roles of the databases: documents of `admin`, written by commands.

use super::world::World;
use bson::doc;
use mongodb::error::Result;

impl World {
    pub(super) fn users(&mut self) -> Result<()> {
        let database = self.database();
        let (user, role) = (self.dice.pick(&["ann", "bob", "dörte"]), self.dice.pick(&["reader", "writer"]));
        let find = doc! {"resource": {"db": database.name(), "collection": self.name()}, "actions": ["find"]};
        // Quick to make; what the server stores does not depend on it.
        let quick = doc! {"mechanisms": ["SCRAM-SHA-1"]};
        let mut command = match self.dice.below(8) {
            0 => doc! {"createRole": role, "roles": [], "privileges": [find]},
            1 => doc! {"updateRole": role, "privileges": [find]},
            2 => doc! {"dropRole": role},
            3 | 4 => doc! {"createUser": user, "pwd": "secret", "roles": ["read"]},
            5 => doc! {"updateUser": user, "customData": {"n": self.dice.below(100)}},
            6 => doc! {"grantRolesToUser": user, "roles": [role]},
            _ => doc! {"dropUser": user},
        };
        if command.contains_key("createUser") {
            command.extend(quick);
        }
        self.run(&database, command)
    }
}
