//! Random saves: whoever reads again at each notice ends up with the disk.

use super::*;

#[test]
fn random_saves_leave_no_reader_behind() {
    check(|_| {});
}

#[test]
fn random_saves_that_are_found_by_looking_leave_no_reader_behind() {
    check(|options| options.poll = Some(Duration::from_millis(10)));
}

fn check(set: impl Fn(&mut Options)) {
    on_time(|| {
        let names = ["a.html", "b.css", "d/c.js", "d/e/f.txt"];
        let mut site = Site::new(&names, &set);
        let mut model = Model::of(&site, &names);
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        let start = Instant::now();
        let mut round = 0;
        while start.elapsed() < Duration::from_secs(2) {
            round += 1;
            let name = names[usize::try_from(random(4)).unwrap()];
            let path = site.path(name);
            // Few contents, so that A-B-A is common.
            let text = format!("content {}", random(3))
                .repeat(1 + usize::try_from(random(400)).unwrap() / 100 * 100);
            match random(5) {
                0 => {
                    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
                    file.write_all(text.as_bytes()).unwrap();
                    file.set_len(text.len() as u64).unwrap();
                }
                1 => fs::write(&path, &text).unwrap(),
                2 => {
                    let temporary = path.with_extension(format!("new{}", random(2)));
                    fs::write(&temporary, &text).unwrap();
                    fs::rename(&temporary, &path).unwrap();
                }
                3 => {
                    fs::remove_file(&path).unwrap();
                    if random(2) == 0 {
                        pause(random(30));
                    }
                    fs::write(&path, &text).unwrap();
                }
                _ => {
                    let mut file = File::create(&path).unwrap();
                    for part in text.as_bytes().chunks(text.len() / 3 + 1) {
                        file.write_all(part).unwrap();
                        pause(random(8));
                    }
                }
            }
            if random(3) == 0 {
                pause(random(25));
            }
            // A reader comes by at any time, and not only when told.
            if random(4) == 0 {
                model.read(&site, name);
            }
            model.take(&mut site);
        }
        assert!(round > 20);
        model.catch_up(&mut site);
    });
}

/// The pace of a writer, not a wait for the watcher.
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// What a browser shows: it reads a file when it is told, and says what it read.
pub(crate) struct Model {
    shown: BTreeMap<String, Option<Vec<u8>>>,
}

impl Model {
    pub(crate) fn of(site: &Site, names: &[&str]) -> Model {
        let mut model = Model {
            shown: BTreeMap::new(),
        };
        for name in names {
            model.read(site, name);
        }
        model
    }

    pub(crate) fn read(&mut self, site: &Site, name: &str) {
        use std::io::Read;
        let path = site.path(name);
        let shown = match File::open(&path) {
            Ok(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                site.watcher().observed(&path, &file.metadata().unwrap());
                Some(bytes)
            }
            Err(_) => {
                site.watcher().missed(&path);
                None
            }
        };
        self.shown.insert(name.to_owned(), shown);
    }

    pub(crate) fn hear(&mut self, site: &Site, notice: Notice) {
        if let Notice::Changed(set) = notice {
            for (name, _) in site.named(&set) {
                if self.shown.contains_key(&name) {
                    self.read(site, &name);
                }
            }
        }
    }

    pub(crate) fn take(&mut self, site: &mut Site) {
        while let Ok((_, notice, _)) = site.notices.try_recv() {
            self.hear(site, notice);
        }
    }

    /// Hears all there is to hear (a last change is the sign for that), and then shows what is on
    /// the disk.
    #[track_caller]
    pub(crate) fn catch_up(&mut self, site: &mut Site) {
        let wrong = |model: &Model| -> Vec<String> {
            let shown = model.shown.iter();
            shown
                .filter(|(name, shown)| fs::read(site.path(name)).ok() != **shown)
                .map(|(name, _)| name.clone())
                .collect()
        };
        let deadline = Instant::now() + PATIENCE;
        while !wrong(self).is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match site.notices.recv_timeout(left) {
                Ok((_, notice, _)) => self.hear(site, notice),
                Err(_) => panic!("{NEVER_REPORTED}: {:?}", wrong(self)),
            }
        }
    }
}

// Ignored paths.
