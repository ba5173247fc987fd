package gormhook_test

import "slices"

// relations are the tables of the suite, those that others refer to ahead.
func relations() []*relation {
	return append([]*relation{
		{table: "products", model: "product", of: &Product{}},
		{table: "items", model: "item", of: &Item{}},
		{table: "companies", model: "company", of: &Company{}},
		{table: "authors", model: "author", of: &Author{}},
		{table: "profiles", model: "profile", of: &Profile{}},
		{table: "books", model: "book", of: &Book{}},
		{table: "tags", model: "tag", of: &Tag{}},
		{table: "book_tags", model: "book_tag"},
		{table: "remarks", model: "remark", of: &Remark{}},
		{table: "drafts", model: "draft", of: &Draft{}},
		{table: "places", model: "place", of: &Place{}},
		{table: "people", model: "person", of: &Person{}},
		{table: "relabelled", model: "renamed", of: &Renamed{}},
		{table: "settings", model: "setting", of: &Setting{}},
		{table: "order", model: "order", of: &Order{}},
		{table: "odd Table?", model: "odd", of: &Odd{}},
		{table: "hookeds", model: "hooked", of: &Hooked{}},
		{table: "tuneds", model: "tuned", of: &Tuned{}},
		{table: "echos", model: "echo", of: &Echo{}},
		{
			table: "logins", model: "login", of: &Login{},
			masked: []string{"password", "api_key", "password_hash", "pin"}, omitted: []string{"scratch"},
		},
		{table: "vaults", model: "vault", of: &Vault{}, masked: []string{"token"}},
		{table: "specimens", model: "specimen", of: &Specimen{}},
		{table: "parchments", model: "parchment", of: &Parchment{}},
		{table: "exhibits", model: "exhibit", on: postgresEngine, ahead: exhibitTypes, of: &Exhibit{}},
		{table: "slots", model: "slot", of: &Slot{}},
	}, slices.Concat(handmade(), referring(), keyed())...)
}
