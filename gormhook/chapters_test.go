package gormhook_test

import "slices"

// chapters are the trials as docs/capture.md lists them.
func chapters() []chapter {
	return []chapter{
		{"Create", creates()},
		{"Save", saves()},
		{"Upsert", upserts()},
		{"Update", updates()},
		{"Delete", deletes()},
		{"Associations", associations()},
		{"Foreign keys", slices.Concat(cascades(), outcomes())},
		{"Keys, columns and names", shapes()},
		{"Tables", tables()},
		{"Values", values()},
		{"RETURNING", returnings()},
		{"Hooks and sessions", sessions()},
		{"Transactions and failures", transactions()},
		{"Generics", generics()},
		{"Raw SQL", raws()},
	}
}
