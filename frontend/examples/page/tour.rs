//! The way through the states of the page: made by records where an agent or a daemon would make them, by clicks where
//! people do. In each state the page is looked at as on a desk, on a phone and in the dark.

use crate::Result;
use crate::browser::Browser;
use crate::rig::{NOW, Rig, SET};
use crate::served::Served;
use crate::states::{complained, copied, heard_of, noted, noted_of_site, status, strange_sets};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemark_base::UnixMillis;
use tidemark_metadata::rules::roles::Role;
use tidemark_metadata::{By, Job, JobKind, Progress, RestoreJob, RestoreState, Status, Subject, Text};

/// How it is looked at: a name for the picture, how wide, whether in the dark.
const LOOKS: [(&str, u32, bool); 3] = [("desk", 1280, false), ("phone", 390, false), ("dark", 1280, true)];
/// Who goes through it.
const OWNER: (&str, &str) = ("boss@example.com", "correct horse");

/// The tour, and what was found.
pub(crate) struct Tour<'s> {
    rig: &'s Rig,
    url: &'s str,
    folder: PathBuf,
    browser: Browser,
    faults: Vec<String>,
    pictures: u32,
}

impl<'s> Tour<'s> {
    pub(crate) fn new(served: &'s Served, folder: &Path) -> Result<Self> {
        let browser = Browser::start(&folder.join("chromium.log"))?;
        let (rig, url, folder) = (&served.rig, served.url.as_str(), folder.to_owned());
        Ok(Self { rig, url, folder, browser, faults: Vec::new(), pictures: 0 })
    }

    /// What was found, each with its state.
    pub(crate) fn faults(self) -> Vec<String> {
        println!("{} pictures in {}", self.pictures, self.folder.display());
        self.faults
    }

    pub(crate) fn go_through(&mut self) -> Result<()> {
        self.doors()?;
        self.a_backup_begins()?;
        self.a_backup_runs()?;
        self.restores()?;
        self.something_is_wrong()?;
        self.keys_and_people()?;
        self.refusals()
    }

    fn doors(&mut self) -> Result<()> {
        self.go("/")?;
        self.look("01-sign-up")?;
        self.fill(&[("login", OWNER.0), ("password", OWNER.1)])?;
        self.press("/signup")?;
        self.look("02-groups")?;
        self.press("/logout")?;
        self.look("03-login")?;
        self.fill(&[("login", OWNER.0), ("password", "correct house")])?;
        self.press("/login")?;
        self.look_at_refusal("04-login-wrong")?;
        self.log_in()?;
        self.go(&format!("/groups/{}", self.rig.other))?;
        self.look("05-group-empty")
    }

    fn log_in(&mut self) -> Result<()> {
        self.go("/login")?;
        self.fill(&[("login", OWNER.0), ("password", OWNER.1)])?;
        self.press("/login")
    }

    fn a_backup_begins(&mut self) -> Result<()> {
        let (group, set) = (self.group(), self.set());
        heard_of(self.rig, UnixMillis(NOW.0 - 20_000));
        self.go(&group)?;
        self.look("06-inactive")?;
        self.go(&set)?;
        self.ask("document.querySelector('#source details').open = true")?;
        self.fill(&[("source", "db1.example.com:27017"), ("excluded", "scratch shop.sessions")])?;
        self.look("07-start")?;
        self.press(&format!("{set}/source"))?;
        self.look("08-awaited")?;
        copied(self.rig);
        self.go(&group)?;
        self.look("09-copying")
    }

    fn a_backup_runs(&mut self) -> Result<()> {
        let (group, set) = (self.group(), self.set());
        status(self.rig, Status::Started);
        self.go(&group)?;
        self.look("10-running")?;
        self.open_all()?;
        self.look("11-running-opened")?;
        self.go(&set)?;
        self.look("12-set")
    }

    fn restores(&mut self) -> Result<()> {
        let (group, set) = (self.group(), self.set());
        self.go(&set)?;
        self.fill(&[("namespaces", "shop.orders")])?;
        self.press(&format!("{set}/restores"))?;
        let job = self.rig.metadata().all::<RestoreJob>(By::IdPrefix(""))?.remove(0).record;
        let id = Job::id_of(Some(self.rig.group), JobKind::Restore, &Subject::new(job.id.to_string())?);
        self.rig.metadata().change::<Job, _>(&id, |job| {
            let doing = Some(Text::fit("reading the state"));
            job.progress = Progress { done: 300 << 20, total: Some(1 << 30), doing };
            Ok(())
        })?;
        self.go(&group)?;
        self.look("13-restore-preparing")?;
        self.rig.prepare(&job.id.to_string(), 0);
        self.go(&group)?;
        self.look("14-restore-ready")?;
        self.press(&format!("{group}/restores/{}/link", job.id))?;
        self.look("15-link")?;
        self.go(&group)?;
        self.look("16-restore-linked")?;
        let why =
            Text::fit("no state of 2026-11-21 10:00:00 can be made: the oldest is of 2026-11-22 09:00:00");
        self.rig.put(&RestoreJob { state: RestoreState::Failed { error: why }, ..job });
        self.go(&group)?;
        self.look("17-restore-failed")
    }

    fn something_is_wrong(&mut self) -> Result<()> {
        let group = self.group();
        self.rig.clock.advance(Duration::from_secs(10 * 3600));
        self.log_in()?;
        self.go(&group)?;
        self.look("20-stale-agent")?;
        heard_of(self.rig, self.rig.site.parts().clock.now());
        self.go(&group)?;
        self.look("21-stale-oplog")?;
        complained(
            self.rig,
            &[
                "db3.example.com:27017 cannot be reached: connection refused",
                "there is no primary: the oplog stands still until one is elected",
            ],
        );
        let low = "the store has 1932735283 bytes left: no snapshots are taken and nothing is compacted until there \
                   is more; give it more room, or keep snapshots less long";
        noted(self.rig, "SPACE_LOW", low);
        self.go(&group)?;
        self.look("22-source-and-disk")?;
        noted(self.rig, "SPACE_BACK", "the store has room again: snapshots are taken as scheduled");
        complained(self.rig, &[]);
        status(self.rig, Status::Provisioning);
        let lost = "the source no longer has the oplog after what was backed up: a new copy is made; earlier snapshots stay.";
        noted(self.rig, "COPY_ORDERED", lost);
        self.go(&format!("{group}?hold"))?;
        self.look("23-resync")?;
        status(self.rig, Status::Stopped);
        self.go(&group)?;
        self.open_all()?;
        self.look("24-stopped")?;
        status(self.rig, Status::Terminating);
        self.go(&group)?;
        self.look("25-terminating")?;
        status(self.rig, Status::Started);
        strange_sets(self.rig);
        self.go(&group)?;
        self.look("26-strange-names")?;
        self.go(&self.set())?;
        self.look("27-set-of-strange-names")?;
        self.rig.damage_snapshot();
        noted_of_site(
            self.rig,
            "STORE_DAMAGED",
            "the store has 3 damages: run `tidemark store verify` for all of them",
        );
        self.go(&self.set())?;
        self.look("28-damaged-snapshot")?;
        self.go(&group)?;
        self.look("29-group-of-damaged-store")?;
        self.go("/")?;
        self.look("2a-damaged-store")?;
        noted_of_site(self.rig, "STORE_SOUND", "the store was read, and all of it is sound");
        Ok(())
    }

    fn keys_and_people(&mut self) -> Result<()> {
        let group = self.group();
        self.go(&group)?;
        self.ask(&format!(
            "document.querySelector('form[action=\"{group}/agentkeys\"] [name=name]').value = 'east'"
        ))?;
        self.press(&format!("{group}/agentkeys"))?;
        self.look("30-agent-key")?;
        self.go(&group)?;
        self.press(&format!("{group}/invitations"))?;
        self.look("31-invitation")?;
        let invitation = self.ask("document.querySelector('code').textContent")?;
        let invitation = invitation.as_str().and_then(|it| it.trim().strip_prefix(self.url)).unwrap_or("/");
        self.go(invitation)?;
        self.look("32-invited")?;
        self.rig.person("reader@example.com", Some(Role::ReadOnly));
        self.press("/logout")?;
        self.fill(&[("login", "reader@example.com"), ("password", OWNER.1)])?;
        self.press("/login")?;
        self.go(&group)?;
        self.open_all()?;
        self.look("33-who-only-reads")
    }

    fn refusals(&mut self) -> Result<()> {
        self.press("/logout")?;
        self.log_in()?;
        self.go(&format!("/groups/{}", "99".repeat(12)))?;
        self.look_at_refusal("40-not-found")?;
        self.go(&self.set())?;
        self.fill(&[("excluded", "another")])?;
        self.press(&format!("{}/source", self.set()))?;
        self.look_at_refusal("41-refused")
    }

    fn group(&self) -> String {
        format!("/groups/{}", self.rig.group)
    }

    fn set(&self) -> String {
        format!("{}/sets/{SET}", self.group())
    }

    fn go(&mut self, path: &str) -> Result<()> {
        self.browser.go(&format!("{}{path}", self.url))
    }

    fn ask(&mut self, script: &str) -> Result<Value> {
        self.browser.ask(script)
    }

    /// Types into the first fields of these names.
    fn fill(&mut self, fields: &[(&str, &str)]) -> Result<()> {
        for (name, value) in fields {
            let found = self.ask(&format!(
                "(() => {{ const it = document.querySelector('[name={name}]'); it.value = {value:?}; return it.value }})()"
            ))?;
            if found != *value {
                return Err(format!("the field {name} does not take {value}").into());
            }
        }
        Ok(())
    }

    /// Presses the button of the form that goes to a path, as somebody who has filled it in.
    fn press(&mut self, path: &str) -> Result<()> {
        self.browser.leads_on(&format!("document.querySelector('form[action=\"{path}\"]').requestSubmit()"))
    }

    fn open_all(&mut self) -> Result<()> {
        self.ask("document.querySelectorAll('details').forEach((it) => { it.open = true })").map(drop)
    }

    fn look(&mut self, state: &str) -> Result<()> {
        self.look_as(state, false)
    }

    /// A page that comes with a status of failure, which a browser complains of.
    fn look_at_refusal(&mut self, state: &str) -> Result<()> {
        self.look_as(state, true)
    }

    fn look_as(&mut self, state: &str, is_refusal: bool) -> Result<()> {
        for (look, width, is_dark) in LOOKS {
            self.browser.wear(width, is_dark)?;
            let found = self.ask(include_str!("look.js"))?;
            let found = found.as_array().cloned().unwrap_or_default();
            self.faults.extend(found.iter().map(|it| format!("{state}, {look}: {it}")));
            std::fs::write(self.folder.join(format!("{state}-{look}.png")), self.browser.picture()?)?;
            self.pictures += 1;
        }
        self.browser.wear(LOOKS[0].1, false)?;
        let said = self.browser.said();
        let bad = said.iter().filter_map(|it| complaint(it, self.url, is_refusal));
        self.faults.extend(bad.map(|it| format!("{state}: {it}")));
        Ok(())
    }
}

/// What must not be, of what the browser said of itself.
fn complaint(said: &Value, url: &str, is_refusal: bool) -> Option<String> {
    let params = &said["params"];
    match said["method"].as_str()? {
        "Network.requestWillBeSent" => {
            let asked = params["request"]["url"].as_str()?;
            (!asked.starts_with(&format!("{url}/"))).then(|| format!("a request to {asked}"))
        }
        "Log.entryAdded" => {
            let text = params["entry"]["text"].as_str()?;
            let is_expected = is_refusal && text.contains("the server responded with a status of 4");
            (!is_expected).then(|| format!("the browser complains: {text}"))
        }
        "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => Some(format!("a script: {params}")),
        "Network.loadingFailed" => Some(format!("something was not loaded: {params}")),
        _ => None,
    }
}
