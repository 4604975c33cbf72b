//! Replays a power cut: rebuilds a data directory out of the bytes that had been synced before a given answer.
//!
//! `powercut/interpose.c` records what the process asked of the disk. Here a file holds what was written to it before its
//! last sync, and nothing later; a name exists once the file or its directory was synced; a rename or removal holds once the
//! directory was synced. (Real file systems promise that much and often keep more.)

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// Compiles the recorder; gcc builds SQLite too, so it is there.
pub fn recorder(into: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("powercut/interpose.c");
    let library = into.join("interpose.so");
    let built =
        Command::new("cc").args(["-Wall", "-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.unwrap().success());
    library
}

/// One step of the recorded process.
#[derive(Debug)]
enum Step {
    Open { file: u32, path: PathBuf, truncated: bool },
    OpenDirectory { file: u32, path: PathBuf },
    Write { file: u32, offset: usize, data: Vec<u8> },
    Truncate { file: u32, length: usize },
    Sync { file: u32 },
    Rename { from: PathBuf, to: PathBuf },
    Unlink { path: PathBuf },
    Answer { text: String },
}

/// An answer that was given, and the files as a power cut at that moment would have left them.
pub struct Cut {
    /// What had been answered, oldest first, this one included.
    pub answered: Vec<String>,
    files: BTreeMap<PathBuf, Arc<Vec<u8>>>,
}

impl Cut {
    /// Writes the files to a directory.
    pub fn restore(&self, recorded: &Path, into: &Path) {
        for (path, content) in &self.files {
            let to = into.join(path.strip_prefix(recorded).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, &**content).unwrap();
        }
    }
}

/// The cuts at every `each`-th answer of a recording, and at the last.
pub fn cuts(log: &Path, each: usize) -> Vec<Cut> {
    let steps = read(&fs::read(log).unwrap());
    let total = steps.iter().filter(|step| matches!(step, Step::Answer { .. })).count();
    let mut disk = Disk::default();
    let mut answered = Vec::new();
    let mut cuts = Vec::new();
    for step in steps {
        if let Step::Answer { text } = step {
            answered.push(text);
            if answered.len() % each == 0 || answered.len() == total {
                cuts.push(Cut { answered: answered.clone(), files: disk.durable.clone() });
            }
        } else {
            disk.apply(step);
        }
    }
    cuts
}

/// What is in memory, and what would survive.
#[derive(Default)]
struct Disk {
    /// Which path a file number was opened under.
    path_of: HashMap<u32, PathBuf>,
    /// What the process sees.
    visible: BTreeMap<PathBuf, Vec<u8>>,
    /// What a power cut leaves.
    durable: BTreeMap<PathBuf, Arc<Vec<u8>>>,
    /// Renames and removals whose directory was not synced yet.
    pending: Vec<Step>,
}

impl Disk {
    fn apply(&mut self, step: Step) {
        match step {
            Step::Open { file, path, truncated } => {
                let content = self.visible.entry(path.clone()).or_default();
                if truncated {
                    content.clear();
                }
                self.path_of.insert(file, path);
            }
            Step::OpenDirectory { file, path } => {
                self.path_of.insert(file, path);
            }
            Step::Write { file, offset, data } => {
                let content = self.visible.entry(self.path_of[&file].clone()).or_default();
                let end = offset + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[offset..end].copy_from_slice(&data);
            }
            Step::Truncate { file, length } => {
                self.visible.entry(self.path_of[&file].clone()).or_default().resize(length, 0);
            }
            Step::Sync { file } => self.sync(&self.path_of[&file].clone()),
            Step::Rename { from, to } => {
                if let Some(content) = self.visible.remove(&from) {
                    self.visible.insert(to.clone(), content);
                }
                self.path_of.values_mut().filter(|path| **path == from).for_each(|path| path.clone_from(&to));
                self.pending.push(Step::Rename { from, to });
            }
            Step::Unlink { path } => {
                self.visible.remove(&path);
                self.pending.push(Step::Unlink { path });
            }
            Step::Answer { .. } => unreachable!("answers are cuts"),
        }
    }

    fn sync(&mut self, path: &Path) {
        if let Some(content) = self.visible.get(path)
            && self.durable.get(path).is_none_or(|kept| **kept != *content)
        {
            self.durable.insert(path.to_owned(), Arc::new(content.clone()));
        }
        // a directory: what happened to its names is durable now
        let (now, later) = std::mem::take(&mut self.pending).into_iter().partition(|step| match step {
            Step::Rename { to: named, .. } | Step::Unlink { path: named } => named.parent() == Some(path),
            _ => false,
        });
        self.pending = later;
        let now: Vec<Step> = now;
        for step in now {
            match step {
                Step::Rename { from, to } => {
                    if let Some(content) = self.durable.remove(&from) {
                        self.durable.insert(to, content);
                    }
                }
                Step::Unlink { path } => {
                    self.durable.remove(&path);
                }
                _ => unreachable!("only names are pending"),
            }
        }
    }
}

fn read(mut log: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some((head, rest)) = log.split_first_chunk::<17>() {
        let file = u32::from_le_bytes(head[1..5].try_into().unwrap());
        let offset = usize::try_from(u64::from_le_bytes(head[5..13].try_into().unwrap())).unwrap();
        let length = u32::from_le_bytes(head[13..17].try_into().unwrap()) as usize;
        if rest.len() < length {
            break; // the process was killed while it wrote this record
        }
        let (data, rest) = rest.split_at(length);
        log = rest;
        let path = || PathBuf::from(String::from_utf8(data.to_vec()).unwrap());
        steps.push(match head[0] {
            b'O' => Step::Open { file, path: path(), truncated: offset == 1 },
            b'D' => Step::OpenDirectory { file, path: path() },
            b'W' => Step::Write { file, offset, data: data.to_vec() },
            b'T' => Step::Truncate { file, length: offset },
            b'S' => Step::Sync { file },
            b'R' => {
                let both = String::from_utf8(data.to_vec()).unwrap();
                let (from, to) = both.split_once('\0').unwrap();
                Step::Rename { from: from.into(), to: to.into() }
            }
            b'U' => Step::Unlink { path: path() },
            b'A' => Step::Answer { text: String::from_utf8_lossy(data).into_owned() },
            kind => panic!("the recording has a record of kind {kind}"),
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: u32, data: &str) -> Step {
        Step::Write { file, offset: 0, data: data.into() }
    }

    fn open(file: u32, path: &str) -> Step {
        Step::Open { file, path: path.into(), truncated: false }
    }

    fn left(steps: Vec<Step>) -> Vec<(String, String)> {
        let mut disk = Disk::default();
        for step in steps {
            disk.apply(step);
        }
        let text = |(path, content): (&PathBuf, &Arc<Vec<u8>>)| {
            (path.display().to_string(), String::from_utf8(content.to_vec()).unwrap())
        };
        disk.durable.iter().map(text).collect()
    }

    #[test]
    fn what_was_written_after_the_last_sync_is_gone() {
        let steps =
            vec![open(1, "/d/a"), write(1, "one"), Step::Sync { file: 1 }, write(1, "two"), open(2, "/d/b"), write(2, "x")];
        assert_eq!(left(steps), [("/d/a".to_owned(), "one".to_owned())]);
    }

    #[test]
    fn a_rename_holds_once_its_directory_was_synced() {
        let renamed = || {
            let rename = Step::Rename { from: "/d/a".into(), to: "/d/b".into() };
            vec![open(1, "/d/a"), write(1, "one"), Step::Sync { file: 1 }, rename]
        };
        assert_eq!(left(renamed()), [("/d/a".to_owned(), "one".to_owned())]);
        let mut steps = renamed();
        steps.extend([Step::OpenDirectory { file: 2, path: "/d".into() }, Step::Sync { file: 2 }]);
        assert!(left(steps).contains(&("/d/b".to_owned(), "one".to_owned())));
    }
}
