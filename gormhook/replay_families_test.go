package gormhook_test

import (
	"gorm.io/gorm"
	"pgregory.net/rapid"
)

// change draws a map that has each of the columns or not, and at least one.
func drawSome(t *rapid.T, columns map[string]any, always string) map[string]any {
	for _, name := range sortedKeys(columns) {
		if name != always && !rapid.Bool().Draw(t, "set "+name) {
			delete(columns, name)
		}
	}
	return columns
}

// byNumber is a family whose key is a number, and whose columns are given by
// values, without the key.
func byNumber[M any](table, key, text, number string, id func(*M) *int64,
	draw func(*rapid.T, *gorm.DB) M, values func(*rapid.T, *gorm.DB) map[string]any,
) replayFamily[M] {
	return replayFamily[M]{
		table: table, keys: []string{key}, text: text, number: number,
		draw: func(t *rapid.T, db *gorm.DB) M {
			m := draw(t, db)
			*id(&m) = drawID.Draw(t, "id")
			return m
		},
		keep: func(m *M, of M) { *id(m) = *id(&of) },
		key: func(t *rapid.T) map[string]any {
			return map[string]any{key: rapid.Int64Range(1, 8).Draw(t, "new id")}
		},
		row: func(t *rapid.T, db *gorm.DB) map[string]any {
			row := values(t, db)
			if n := drawID.Draw(t, "id"); n != 0 {
				row[key] = n
			}
			return row
		},
		change: func(t *rapid.T, db *gorm.DB) map[string]any { return drawSome(t, values(t, db), number) },
	}
}

// textAndNumber are values of what most models have.
func textAndNumber(text, number string) func(*rapid.T, *gorm.DB) map[string]any {
	return func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{text: drawText.Draw(t, "text"), number: drawCount.Draw(t, "number")}
	}
}

var replayNotes = byNumber("replay_notes", "id", "title", "count", func(m *replayNote) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayNote {
		return replayNote{
			Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Flag: rapid.Bool().Draw(t, "flag"),
			Maybe: drawMaybe(t, "maybe"),
		}
	},
	func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{
			"title": drawText.Draw(t, "title"), "count": drawCount.Draw(t, "count"), "flag": rapid.Bool().Draw(t, "flag"),
			"maybe": drawMaybe(t, "maybe"),
		}
	})

var replayDrafts = func() replayFamily[replayDraft] {
	f := byNumber("replay_drafts", "id", "title", "count", func(m *replayDraft) *int64 { return &m.ID },
		func(t *rapid.T, _ *gorm.DB) replayDraft {
			d := replayDraft{Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count")}
			if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
				d.DeletedAt.Time, d.DeletedAt.Valid = drawTime.Draw(t, "deleted at"), true
			}
			return d
		},
		textAndNumber("title", "count"))
	f.soft = true
	return f
}()

var replayPlaces = replayFamily[replayPlace]{
	table: "replay_places", keys: []string{"region", "number"}, text: "title", number: "count",
	draw: func(t *rapid.T, _ *gorm.DB) replayPlace {
		return replayPlace{
			Region: drawRegion.Draw(t, "region"), Number: rapid.Int64Range(0, 1).Draw(t, "number"),
			Title: drawMaybe(t, "title"), Count: drawCount.Draw(t, "count"),
		}
	},
	keep: func(m *replayPlace, of replayPlace) { m.Region, m.Number = of.Region, of.Number },
	key: func(t *rapid.T) map[string]any {
		return map[string]any{"region": drawRegion.Draw(t, "new region"), "number": rapid.Int64Range(0, 1).Draw(t, "new number")}
	},
	row: func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{
			"region": drawRegion.Draw(t, "region"), "number": rapid.Int64Range(0, 1).Draw(t, "number"),
			"title": drawMaybe(t, "title"), "count": drawCount.Draw(t, "count"),
		}
	},
	change: func(t *rapid.T, _ *gorm.DB) map[string]any {
		values := map[string]any{"title": drawMaybe(t, "title"), "count": drawCount.Draw(t, "count")}
		if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
			values["count"] = nil // is refused
		}
		return values
	},
}

var drawRegion = rapid.SampledFrom([]string{"", "a", `\`, `,`, `a\,b,c`, "it's", "ünï 🙂", "1"})

var replayContacts = byNumber("replay_contacts", "id", "called", "count", func(m *replayContact) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayContact {
		c := replayContact{
			Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"),
			Since: rapid.Int64Range(0, 4e9).Draw(t, "since"),
			Home:  replayAddress{Street: drawStreet.Draw(t, "street")},
		}
		if rapid.Bool().Draw(t, "number") {
			c.Home.Number = pointTo(drawInt64.Draw(t, "number"))
		}
		if rapid.Bool().Draw(t, "labels") {
			c.Labels = []string{drawText.Draw(t, "label"), "b"}
		}
		return c
	},
	func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{
			"called": drawText.Draw(t, "title"), "count": drawCount.Draw(t, "count"),
			"home_street": drawStreet.Draw(t, "street"), "home_number": drawInt64.Draw(t, "number"),
		}
	})

// drawStreet is one that a hook refuses, now and then.
var drawStreet = rapid.OneOf(rapid.SampledFrom([]string{vetoed, "a", "b", "c"}), drawText)

var replayParcels = replayFamily[replayParcel]{
	table: "replay_parcels", keys: []string{"id"}, text: "title", number: "count",
	draw: func(t *rapid.T, _ *gorm.DB) replayParcel {
		return replayParcel{
			ID:    drawKey.Draw(t, "id"),
			Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Flag: rapid.Bool().Draw(t, "flag"),
			Maybe: drawMaybe(t, "maybe"),
		}
	},
	keep: func(m *replayParcel, of replayParcel) { m.ID = of.ID },
	key: func(t *rapid.T) map[string]any {
		return map[string]any{"id": rapid.SampledFrom([]replayKey{
			"0190a2b4-0000-7000-8000-000000000001", "0190a2b4-0000-7000-8000-00000000abce",
		}).Draw(t, "new id")}
	},
	row: func(t *rapid.T, _ *gorm.DB) map[string]any {
		row := drawSome(t, map[string]any{
			"title": drawText.Draw(t, "title"), "count": drawCount.Draw(t, "count"), "flag": rapid.Bool().Draw(t, "flag"),
		}, "title")
		if id := drawKey.Draw(t, "id"); id != "" {
			row["id"] = id
		}
		return row
	},
	change: func(t *rapid.T, _ *gorm.DB) map[string]any {
		return drawSome(t, map[string]any{
			"title": drawText.Draw(t, "title"), "count": drawCount.Draw(t, "count"), "maybe": drawMaybe(t, "maybe"),
		}, "count")
	},
}

var drawKey = rapid.SampledFrom([]replayKey{
	"", "", "", "0190a2b4-0000-7000-8000-000000000001", "0190A2B4-0000-7000-8000-00000000ABCD",
})

var replayTreasures = byNumber("replay_treasures", "id", "title", "count", func(m *replayTreasure) *int64 { return &m.ID },
	func(t *rapid.T, db *gorm.DB) replayTreasure {
		postgres := db.Name() == "postgres"
		return replayTreasure{
			Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Amount: drawDecimal.Draw(t, "amount"),
			Ratio: drawFloat(t, postgres), Rough: drawFloat(t, postgres), Single: float32(drawSmall.Draw(t, "single")) / 3, Data: drawBytes.Draw(t, "data"),
			Doc: drawDocument.Draw(t, "doc"), At: drawTime.Draw(t, "at"), Seen: drawSeen(t), Day: drawDay.Draw(t, "day"),
			Words: drawWords.Draw(t, "words"), Numbers: drawNumbers.Draw(t, "numbers"),
			Moments: drawMoments.Draw(t, "moments"), Chunks: drawChunks.Draw(t, "chunks"),
			Span: drawSpan.Draw(t, "span"), Net: drawNet.Draw(t, "net"), Window: drawWindow.Draw(t, "window"),
			Exact: drawExact.Draw(t, "exact"), Local: drawLocal.Draw(t, "local"), Price: drawPrice.Draw(t, "price"),
		}
	},
	func(t *rapid.T, db *gorm.DB) map[string]any {
		return map[string]any{
			"title": drawText.Draw(t, "title"), "count": drawCount.Draw(t, "count"), "amount": drawDecimal.Draw(t, "amount"),
			"ratio": drawFloat(t, db.Name() == "postgres"), "rough": drawFloat(t, db.Name() == "postgres"), "data": drawBytes.Draw(t, "data"), "doc": drawDocument.Draw(t, "doc"),
			"at": drawTime.Draw(t, "at"), "seen": drawSeen(t), "day": drawDay.Draw(t, "day"), "words": drawWords.Draw(t, "words"),
			"numbers": drawNumbers.Draw(t, "numbers"), "moments": drawMoments.Draw(t, "moments"), "chunks": drawChunks.Draw(t, "chunks"),
			"span": drawSpan.Draw(t, "span"), "net": drawNet.Draw(t, "net"), "window": drawWindow.Draw(t, "window"),
			"exact": drawExact.Draw(t, "exact"), "local": drawLocal.Draw(t, "local"), "price": drawPrice.Draw(t, "price"),
		}
	})

var replayOrders = byNumber("order", "primary", "select", "Group By", func(m *replayOrder) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayOrder {
		return replayOrder{Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Maybe: drawMaybe(t, "maybe")}
	},
	func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{
			"select": drawText.Draw(t, "title"), "Group By": drawCount.Draw(t, "count"),
			`it's "quoted" $1 ?`: drawMaybe(t, "maybe"),
		}
	})

var replayLines = byNumber("replay_lines", "id", "title", "count", func(m *replayLine) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayLine {
		return replayLine{Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count")}
	}, textAndNumber("title", "count"))

var replayStamps = byNumber("replay_stamps", "id", "title", "count", func(m *replayStamp) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayStamp {
		return replayStamp{Title: drawStamp.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Revision: drawSmall.Draw(t, "revision")}
	},
	func(t *rapid.T, _ *gorm.DB) map[string]any {
		return map[string]any{"title": drawStamp.Draw(t, "title"), "count": drawCount.Draw(t, "count")}
	})

// drawStamp is a title that the trigger knows, now and then.
var drawStamp = rapid.OneOf(rapid.SampledFrom([]string{"leave out", "a", "b", "c"}), drawText)

var replayEchoes = byNumber("replay_echoes", "id", "title", "count", func(m *replayEcho) *int64 { return &m.ID },
	func(t *rapid.T, _ *gorm.DB) replayEcho {
		return replayEcho{Title: drawText.Draw(t, "title"), Count: drawCount.Draw(t, "count"), Echo: drawText.Draw(t, "echo")}
	}, textAndNumber("title", "count"))
