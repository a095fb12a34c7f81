//! A headless Chromium, driven by its DevTools protocol through a pipe: its requests and complaints are all noted.
//!
//! Used by the tour. Through `--remote-debugging-pipe` Chromium reads commands from descriptor 3 and writes to 4, JSON
//! with a zero byte behind each; a shell puts them onto its standard streams, so that nothing but pipes is needed. What
//! it has to say meanwhile is kept until somebody asks. One page, no profile that stays.

use crate::{Failure, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// The variable that names a Chromium of one's own.
const VARIABLE: &str = "CHROMIUM";
/// Where it is looked for else, on PATH.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// How long any one thing may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: String,
    last: u64,
    /// What it said of itself since that was last asked for.
    said: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it; what it prints goes to a file.
    pub(crate) fn start(log: &Path) -> Result<Self> {
        let (profile, program) = (tempfile::tempdir()?, program()?);
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#]).arg(program);
        // It sees nothing but our own page, and a sandbox is not to be had for root or in most containers.
        command.args([
            "--headless",
            "--no-sandbox",
            "--remote-debugging-pipe",
            "--ignore-certificate-errors",
        ]);
        command.args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-gpu",
            "--hide-scrollbars",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(log)?);
        let mut process = command.spawn()?;
        let to = process.stdin.take().ok_or("no way to the browser")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no way from the browser")?);
        let (sender, from) = channel();
        tidemark_base::threads::spawn("answers of the browser", move || {
            let _ = answers_of(answers).try_for_each(|answer| sender.send(answer));
        })?;
        let mut browser =
            Self { process, to, from, session: String::new(), last: 0, said: Vec::new(), _profile: profile };
        let page = browser.order("Target.createTarget", &json!({"url": "about:blank"}))?;
        let page = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.order("Target.attachToTarget", &page)?;
        browser.session = text(&attached["sessionId"])?.to_owned();
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.order(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Goes to an address, and waits until it is there with all that belongs to it.
    pub(crate) fn go(&mut self, url: &str) -> Result<()> {
        self.until_loaded(|browser| browser.order("Page.navigate", &json!({ "url": url })).map(drop))
    }

    /// Does something that leads to another page, and waits for that.
    pub(crate) fn leads_on(&mut self, script: &str) -> Result<()> {
        self.until_loaded(|browser| browser.ask(script).map(drop))
    }

    fn until_loaded(&mut self, lead: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let is_loaded = |it: &Value| it["method"] == "Page.loadEventFired";
        self.said.retain(|it| !is_loaded(it));
        lead(self)?;
        while !self.said.iter().any(is_loaded) {
            self.hear()?;
        }
        Ok(())
    }

    /// The value of a script.
    pub(crate) fn ask(&mut self, script: &str) -> Result<Value> {
        let wish = json!({"expression": script, "returnByValue": true});
        let mut answer = self.order("Runtime.evaluate", &wish)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("a script failed: {details}").into()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// As how wide a screen the page is shown, and whether to somebody who likes it dark.
    pub(crate) fn wear(&mut self, width: u32, is_dark: bool) -> Result<()> {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.order("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if is_dark { "dark" } else { "light" };
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.order("Emulation.setEmulatedMedia", &scheme).map(drop)
    }

    /// The whole page as a picture.
    pub(crate) fn picture(&mut self) -> Result<Vec<u8>> {
        let metrics = self.order("Page.getLayoutMetrics", &json!({}))?;
        let (width, height) = (&metrics["cssContentSize"]["width"], &metrics["cssContentSize"]["height"]);
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let wish = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.order("Page.captureScreenshot", &wish)?;
        Ok(STANDARD.decode(text(&shot["data"])?)?)
    }

    /// What it said of itself since this was last asked: requests, complaints.
    pub(crate) fn said(&mut self) -> Vec<Value> {
        self.said.extend(self.from.try_iter());
        std::mem::take(&mut self.said)
    }

    /// Gives an order, and waits for the answer.
    fn order(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            order["sessionId"] = self.session.clone().into();
        }
        self.to.write_all(order.to_string().as_bytes())?;
        self.to.write_all(b"\0")?;
        self.to.flush()?;
        loop {
            let is_answer = |it: &Value| it["id"] == self.last;
            if let Some(at) = self.said.iter().position(is_answer) {
                let mut answer = self.said.remove(at);
                return match answer.get("error") {
                    Some(error) => Err(format!("{method}: {error}").into()),
                    None => Ok(answer["result"].take()),
                };
            }
            self.hear()?;
        }
    }

    fn hear(&mut self) -> Result<()> {
        let heard = self.from.recv_timeout(PATIENCE);
        self.said.push(heard.map_err(|_| "Chromium says nothing any more: its log is beside the pictures")?);
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn answers_of(from: BufReader<ChildStdout>) -> impl Iterator<Item = Value> {
    let answers = from.split(0).map_while(std::result::Result::ok);
    answers.filter_map(|it| serde_json::from_slice(&it).ok())
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().ok_or_else(|| Failure::from("Chromium answered something else"))
}

fn program() -> Result<std::path::PathBuf> {
    if let Some(own) = std::env::var_os(VARIABLE) {
        return Ok(own.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|it| it.is_file());
    let advice =
        format!("there is no Chromium on PATH: install the package `chromium`, or set {VARIABLE} to one");
    found.ok_or_else(|| advice.into())
}
