//! Users. The first comes by the localhost exception: until there is one, a local client may make one.

use bson::{Bson, doc};
use mongodb::sync::Client;

use super::{Credentials, Error};

/// Makes a user of the `admin` database; `roles` are roles of `admin`, for instance `backup`.
///
/// # Errors
/// If the server refuses, or a majority does not have it within 30 s.
pub fn create_user(client: &Client, user: &Credentials, roles: &[&str]) -> Result<(), Error> {
    let roles: Vec<Bson> = roles.iter().map(|role| doc! {"role": *role, "db": "admin"}.into()).collect();
    let command = doc! {
        "createUser": &user.user,
        "pwd": &user.password,
        "roles": roles,
        "writeConcern": {"w": "majority", "wtimeout": 30_000},
    };
    client
        .database("admin")
        .run_command(command)
        .run()
        .map(drop)
        .map_err(Error::driver(format!("make the user '{}'", user.user)))
}
