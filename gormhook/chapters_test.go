package gormhook_test

// chapters are the trials as docs/capture.md lists them.
func chapters() []chapter {
	return []chapter{
		{"Create", creates()},
		{"Save", saves()},
		{"Upsert", upserts()},
		{"Update", updates()},
		{"Delete", deletes()},
		{"Associations", associations()},
		{"Foreign keys", cascades()},
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
