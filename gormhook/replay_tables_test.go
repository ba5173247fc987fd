package gormhook_test

import (
	"fmt"

	"gorm.io/gorm"
)

// replayModels are the tables, by what the trail calls their rows. Where a
// statement names no model, the table's name is all there is.
var replayModels = map[string]string{
	"replay_note": "replay_notes", "replay_draft": "replay_drafts", "replay_place": "replay_places",
	"replay_contact": "replay_contacts", "replay_parcel": "replay_parcels", "replay_treasure": "replay_treasures",
	"replay_order": "order", "order": "order", "replay_line": "replay_lines", "replay_stamp": "replay_stamps",
	"replay_echo":   "replay_echoes",
	"replay_author": "replay_authors", "replay_post": "replay_posts", "replay_comment": "replay_comments",
	"replay_cover": "replay_covers", "replay_tag": "replay_tags", "replay_post_tag": "replay_post_tags",
	"replay_attachment": "replay_attachments",
}

// migrateReplay makes the tables.
func migrateReplay(db *gorm.DB) error {
	if err := db.AutoMigrate(
		&replayNote{}, &replayDraft{}, &replayPlace{}, &replayContact{}, &replayParcel{}, &replayTreasure{},
		&replayOrder{}, &replayStamp{}, &replayEcho{},
		&replayAuthor{}, &replayPost{}, &replayComment{}, &replayCover{}, &replayTag{}, &replayAttachment{},
	); err != nil {
		return err
	}
	statements := replaySQLite
	if db.Name() == "postgres" {
		statements = replayPostgres
	}
	for _, text := range statements {
		if err := db.Exec(text).Error; err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// unwelcome is an actor of whom the database takes no entry.
const unwelcome = "the unwelcome one"

var replayPostgres = []string{
	`CREATE FUNCTION refuse_entry() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE EXCEPTION 'no entry of %', NEW.user_id;
	END $$`,
	`CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_logs FOR EACH ROW
		WHEN (NEW.user_id = '` + unwelcome + `') EXECUTE FUNCTION refuse_entry()`,
	`CREATE INDEX audit_logs_seq_of_tests ON audit_logs (seq)`,
	`CREATE TABLE replay_lines (
		id bigserial PRIMARY KEY, title text, count bigint,
		twice bigint GENERATED ALWAYS AS (count / 2 + 1) STORED)`,
	`CREATE FUNCTION replay_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF TG_OP = 'UPDATE' AND upper(NEW.title) = 'LEAVE OUT' THEN
			RETURN NULL;
		END IF;
		NEW.title := upper(NEW.title);
		NEW.revision := coalesce(NEW.revision, 0) % 1000 + 1;
		RETURN NEW;
	END $$`,
	`CREATE TRIGGER replay_stamp BEFORE INSERT OR UPDATE ON replay_stamps FOR EACH ROW EXECUTE FUNCTION replay_stamp()`,
	`CREATE FUNCTION replay_echo() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE replay_echoes SET echo = NEW.title || ' ' || coalesce(NEW.count, 0) WHERE id = NEW.id;
		RETURN NULL;
	END $$`,
	`CREATE TRIGGER replay_echo AFTER INSERT OR UPDATE ON replay_echoes FOR EACH ROW
		WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION replay_echo()`,
}

var replaySQLite = []string{
	`CREATE TRIGGER refuse_entry BEFORE INSERT ON audit_logs WHEN NEW.user_id = '` + unwelcome + `' BEGIN
		SELECT RAISE(ABORT, 'no entry of ` + unwelcome + `'); END`,
	`CREATE TABLE replay_lines (
		id integer PRIMARY KEY AUTOINCREMENT, title text, count bigint,
		twice bigint GENERATED ALWAYS AS (count / 2 + 1) STORED)`,
	`CREATE TRIGGER replay_stamp_insert AFTER INSERT ON replay_stamps BEGIN
		UPDATE replay_stamps SET title = upper(title), revision = coalesce(revision, 0) % 1000 + 1 WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_stamp_update AFTER UPDATE ON replay_stamps BEGIN
		UPDATE replay_stamps SET title = upper(title), revision = coalesce(revision, 0) % 1000 + 1 WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_stamp_ignore BEFORE UPDATE ON replay_stamps WHEN upper(NEW.title) = 'LEAVE OUT' BEGIN
		SELECT RAISE(IGNORE); END`,
	`CREATE TRIGGER replay_echo_insert AFTER INSERT ON replay_echoes BEGIN
		UPDATE replay_echoes SET echo = title || ' ' || coalesce(count, 0) WHERE id = NEW.id; END`,
	`CREATE TRIGGER replay_echo_update AFTER UPDATE ON replay_echoes BEGIN
		UPDATE replay_echoes SET echo = title || ' ' || coalesce(count, 0) WHERE id = NEW.id; END`,
}
