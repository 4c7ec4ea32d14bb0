"""Pages for those who run the portal: health, settings, watchers, versions and licences."""
