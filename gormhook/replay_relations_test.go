package gormhook_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"
)

// Models that belong together, in each way that GORM knows.

type replayAuthor struct {
	ID    int64
	Title string
	Count int64
	Posts []replayPost `gorm:"foreignKey:AuthorID"`
}

type replayPost struct {
	ID          int64
	Title       string
	Count       int64
	AuthorID    *int64
	Author      *replayAuthor
	Cover       *replayCover
	Comments    []replayComment
	Tags        []replayTag        `gorm:"many2many:replay_post_tags"`
	Attachments []replayAttachment `gorm:"polymorphic:Owner"`
}

type replayComment struct {
	ID           int64
	ReplayPostID *int64
	Title        string
	Attachments  []replayAttachment `gorm:"polymorphic:Owner"`
}

type replayCover struct {
	ID           int64
	ReplayPostID *int64
	Title        string
}

type replayTag struct {
	ID    int64
	Title string `gorm:"uniqueIndex"`
}

type replayAttachment struct {
	ID        int64
	OwnerID   *int64
	OwnerType *string
	Title     string
}

var drawShort = rapid.SampledFrom([]string{"a", "b", "c"})

func drawPost(t *rapid.T) replayPost {
	p := replayPost{ID: drawID.Draw(t, "post"), Title: drawShort.Draw(t, "title"), Count: drawSmall.Draw(t, "count")}
	if rapid.Bool().Draw(t, "author") {
		p.Author = &replayAuthor{ID: drawID.Draw(t, "author"), Title: drawShort.Draw(t, "title")}
	}
	if rapid.Bool().Draw(t, "cover") {
		p.Cover = &replayCover{ID: drawID.Draw(t, "cover"), Title: drawShort.Draw(t, "title")}
	}
	p.Comments, p.Tags, p.Attachments = drawComments(t), drawTags(t), drawAttachments(t)
	return p
}

func drawComments(t *rapid.T) []replayComment {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) replayComment {
		return replayComment{ID: drawID.Draw(t, "comment"), Title: drawShort.Draw(t, "title"), Attachments: drawAttachments(t)}
	}), 0, 2).Draw(t, "comments")
}

func drawTags(t *rapid.T) []replayTag {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) replayTag {
		return replayTag{ID: drawID.Draw(t, "tag"), Title: drawShort.Draw(t, "title")}
	}), 0, 3).Draw(t, "tags")
}

func drawAttachments(t *rapid.T) []replayAttachment {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) replayAttachment {
		return replayAttachment{ID: drawID.Draw(t, "attachment"), Title: drawShort.Draw(t, "title")}
	}), 0, 2).Draw(t, "attachments")
}

// association is one of a post's, with new members for it.
func association(t *rapid.T) (name string, members any) {
	switch name = rapid.SampledFrom([]string{"Author", "Cover", "Comments", "Tags", "Attachments"}).Draw(t, "association"); name {
	case "Author":
		return name, &replayAuthor{ID: drawID.Draw(t, "author"), Title: drawShort.Draw(t, "title")}
	case "Cover":
		return name, &replayCover{ID: drawID.Draw(t, "cover"), Title: drawShort.Draw(t, "title")}
	case "Comments":
		return name, pointTo(drawComments(t))
	case "Tags":
		return name, pointTo(drawTags(t))
	default:
		return name, pointTo(drawAttachments(t))
	}
}

// owned is association without the one that GORM cannot clear for good.
func owned(t *rapid.T) (name string, members any) {
	for {
		if name, members = association(t); name != "Author" {
			return name, members
		}
	}
}

// ofPost is an operation on a post that is there, with its associations read
// or not.
func ofPost(name string, run func(*rapid.T, *gorm.DB, *replayPost) error) replayOperation {
	return replayOperation{"posts: " + name, func(t *rapid.T, db *gorm.DB) error {
		read := db.Order("id").Session(&gorm.Session{})
		if rapid.Bool().Draw(t, "preload") {
			read = read.Preload(clause.Associations)
		}
		var posts []replayPost
		if err := read.Find(&posts).Error; err != nil {
			t.Fatalf("reading posts: %v", err)
		}
		if len(posts) == 0 {
			return nil
		}
		return run(t, db, &posts[rapid.IntRange(0, len(posts)-1).Draw(t, "post")])
	}}
}

// replayAssociations are what can be done with models that belong together.
var replayAssociations = []replayOperation{
	{"posts: create with all that belongs to it", createPost},
	{"posts: create with all that belongs to it, again", createPost},
	{"posts: create and save all anew", func(t *rapid.T, db *gorm.DB) error {
		p := drawPost(t)
		return db.Session(&gorm.Session{FullSaveAssociations: true}).Create(&p).Error
	}},
	{"posts: create several", func(t *rapid.T, db *gorm.DB) error {
		posts := []replayPost{drawPost(t), drawPost(t)}
		return db.Create(&posts).Error
	}},
	{"posts: create without what belongs to it", func(t *rapid.T, db *gorm.DB) error {
		p := drawPost(t)
		return db.Omit(clause.Associations).Create(&p).Error
	}},
	{"posts: create an author with posts", func(t *rapid.T, db *gorm.DB) error {
		a := replayAuthor{ID: drawID.Draw(t, "author"), Title: drawShort.Draw(t, "title"), Posts: []replayPost{drawPost(t)}}
		return db.Create(&a).Error
	}},
	{"posts: create from a map, with tags", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&replayPost{}).Create(map[string]any{"Title": drawShort.Draw(t, "title"), "Count": 1}).Error
	}},
	ofPost("save", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		p.Title = drawShort.Draw(t, "title")
		p.Comments = append(p.Comments, drawComments(t)...)
		return db.Save(p).Error
	}),
	ofPost("save all anew", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		for i := range p.Comments {
			p.Comments[i].Title = drawShort.Draw(t, "title")
		}
		p.Tags = append(p.Tags, drawTags(t)...)
		return db.Session(&gorm.Session{FullSaveAssociations: true}).Save(p).Error
	}),
	ofPost("update by a struct with associations", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		changed := drawPost(t)
		changed.ID = 0
		return db.Model(p).Updates(&changed).Error
	}),
	ofPost("append", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		name, members := association(t)
		return db.Model(p).Association(name).Append(members)
	}),
	ofPost("replace", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		name, members := association(t)
		return db.Model(p).Association(name).Replace(members)
	}),
	ofPost("replace for good", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		name, members := owned(t)
		return db.Model(p).Association(name).Unscoped().Replace(members)
	}),
	ofPost("remove a tag", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		var tags []replayTag
		if err := db.Model(p).Order("id").Association("Tags").Find(&tags); err != nil || len(tags) == 0 {
			return err
		}
		return db.Model(p).Association("Tags").Delete(&tags[0])
	}),
	ofPost("remove a comment", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		var comments []replayComment
		if err := db.Model(p).Order("id").Association("Comments").Find(&comments); err != nil || len(comments) == 0 {
			return err
		}
		return db.Model(p).Association("Comments").Delete(&comments[0])
	}),
	ofPost("clear", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		name, _ := association(t)
		return db.Model(p).Association(name).Clear()
	}),
	ofPost("clear for good", func(t *rapid.T, db *gorm.DB, p *replayPost) error {
		name, _ := owned(t)
		return db.Model(p).Association(name).Unscoped().Clear()
	}),
	ofPost("delete", func(_ *rapid.T, db *gorm.DB, p *replayPost) error {
		return db.Delete(p).Error
	}),
	ofPost("delete with all that belongs to it", func(_ *rapid.T, db *gorm.DB, p *replayPost) error {
		return db.Select(clause.Associations).Delete(p).Error
	}),
	ofPost("delete with its tags", func(_ *rapid.T, db *gorm.DB, p *replayPost) error {
		return db.Select("Tags", "Cover").Delete(p).Error
	}),
	{"tags: rename", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&replayTag{}).Where("title = ?", drawShort.Draw(t, "from")).Update("title", drawShort.Draw(t, "to")).Error
	}},
	{"tags: upsert by title", func(t *rapid.T, db *gorm.DB) error {
		tags := drawTags(t)
		if len(tags) == 0 {
			return nil
		}
		return db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "title"}}, DoUpdates: clause.AssignmentColumns([]string{"title"}),
		}).Create(&tags).Error
	}},
}

func createPost(t *rapid.T, db *gorm.DB) error {
	p := drawPost(t)
	return db.Create(&p).Error
}
