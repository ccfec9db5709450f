use std::collections::BTreeMap;

/// The profiles of both files. What the credentials file says of a profile counts more.
#[derive(Debug, Clone, Default)]
pub struct ProfileFiles {
    profiles: BTreeMap<String, Section>,
}

/// The settings of a profile; their names are in small letters. Some are secrets, so `Debug` shows names alone.
#[derive(Clone, Default)]
pub struct Section(BTreeMap<String, String>);

impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Section {
    /// A setting that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether it says anything of who we are. Many hold a region and no more, and the AWS SDKs look further then.
    pub fn says_who(&self) -> bool {
        const WAYS: [&str; 10] = [
            "aws_access_key_id",
            "aws_secret_access_key",
            "role_arn",
            "source_profile",
            "credential_source",
            "credential_process",
            "web_identity_token_file",
            "sso_session",
            "sso_start_url",
            "login_session",
        ];
        self.first_of(&WAYS).is_some()
    }

    /// The first of these settings that is there.
    pub(super) fn first_of<'a>(&self, keys: &[&'a str]) -> Option<&'a str> {
        keys.iter().copied().find(|key| self.get(key).is_some())
    }
}

impl ProfileFiles {
    /// Reads both files ("Shared config and credentials files", AWS SDKs reference guide): `[default]`, `[profile NAME]` in
    /// the config, `[NAME]` in the credentials; other sections and lines that are no setting are passed over, as every AWS
    /// tool does.
    pub fn parse(config: &str, credentials: &str) -> Self {
        let mut files = Self::default();
        files.add(config, |section| match section.split_once(char::is_whitespace) {
            Some(("profile", name)) => Some(name.trim().to_owned()),
            None if section == "default" => Some(section.to_owned()),
            _ => None,
        });
        files.add(credentials, |section| Some(section.to_owned()));
        files
    }

    /// The profile of this name.
    pub fn get(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    /// The names of all profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    fn add(&mut self, text: &str, name_of: impl Fn(&str) -> Option<String>) {
        let mut here: Option<String> = None;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let trimmed = line.trim();
            // Indented lines belong to the setting before them (`s3 =`), and none of those has a meaning here.
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) || line.starts_with([' ', '\t']) {
                continue;
            }
            if let Some(section) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                here = name_of(section.trim());
                if let Some(name) = &here {
                    self.profiles.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&here, trimmed.split_once('=')) {
                // A comment behind a value begins after a blank.
                let value = [" #", " ;", "\t#", "\t;"]
                    .iter()
                    .filter_map(|mark| value.find(mark))
                    .min()
                    .map_or(value, |end| &value[..end]);
                let section = self.profiles.entry(name.clone()).or_default();
                section.0.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }
}
