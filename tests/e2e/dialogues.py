# SPDX-License-Identifier: ISC
"""
What clients say to a server: the everyday commands of RFC 3501 and 9051 and
their extensions, pipelined and not, right and wrong; and octets that servers
read differently (V01 to V23). Commands that a server does not have stay in:
its refusal is a reply, too.
"""
from conformance import CLOSED, Deliver, Dialogue, Until, commands

D = Dialogue
MAIL = b"Subject: x\r\n\r\nhello\r\n"  # 21 octets
MAIL8 = (b"Content-Transfer-Encoding: binary\r\nContent-Type: "
         b"application/octet-stream\r\n\r\n\0x\0\r\n\0")
REGISTER = ("XAPPLEPUSHSERVICE aps-version 2 aps-account-id "
            "0715A26B-CA09-4730-A419-793000CA982E aps-device-token "
            "2918390218931890821908309283098109381029309829018310983092892829 "
            "aps-subtopic com.apple.mobilemail mailboxes (INBOX)")


def registered(tag, topic="TOPIC"):
    return ['* XAPPLEPUSHSERVICE "mailbox" "INBOX"',
            '* XAPPLEPUSHSERVICE "aps-version" "2" "aps-topic" "%s"' % topic,
            tag + " OK XAPPLEPUSHSERVICE completed."]


def bye(text):
    """All that is heard of a line after which nobody knows what comes."""
    return [b"* BYE " + text.encode() + b"\r\n", CLOSED]




def each(data):
    """A step for each command; the next waits for its reply."""
    return [b"".join(parts) for parts in commands(data)]


def pipelined(dialogues):
    for dialogue in dialogues:
        dialogue.pipelined = True
    return dialogues


STATES = [
    D("capability", "a CAPABILITY\nb capability\nc NOOP", select=False),
    D("noop_logout", "a NOOP\nb LOGOUT", Until("never"), select=False),
    D("logout_with_commands_behind", "a NOOP\nb LOGOUT\nc NOOP\nd NOOP",
      Until("never")),
    D("wrong_state", "a FETCH 1 FLAGS\nb STORE 1 FLAGS ()\nc EXPUNGE\n"
      "d SEARCH ALL\ne CLOSE\nf UNSELECT\ng CHECK\nh COPY 1 x\ni IDLE",
      Until("i |\\+"), "DONE\nj NOOP", select=False),
    D("unknown_commands", "a XNOSUCH\nb XNOSUCH with arguments (and a list)\n"
      "c NOOP\nd xnosuch\ne UID NOSUCH 1\nf FETCH\ng NOOP\nh STORE 1\n"
      "i SELECT\nj NOOP"),
    D("bad_arguments", "a SELECT INBOX more\nb FETCH x FLAGS\n"
      "c FETCH 1 (FLAGS\nd NOOP\ne STORE 1 FLAGS \\Seen)\nf SEARCH NOSUCH\n"
      "g NOOP\nh FETCH 0 FLAGS\ni FETCH 4294967296 FLAGS\nj LIST\nk NOOP\n"
      "l STATUS INBOX MESSAGES\nm STATUS INBOX (NOSUCH)\nn NOOP", mails=1),
    D("enable", "a ENABLE CONDSTORE\nb ENABLE QRESYNC UTF8=ACCEPT X-NO\n"
      "c SELECT INBOX\nd ENABLE CONDSTORE\ne ENABLE", mails=1, select=False),
    D("namespace", 'a NAMESPACE\nb LIST "" ""\nc NAMESPACE x', select=False),
    D("id", 'a ID NIL\nb NOOP', own={}, servers=("dovecot", "cyrus")),
    D("id_on_a_server_without", 'a ID NIL\nb ID ("name" "x")\nc NOOP',
      own={"a": ["* ID NIL", "a OK ID completed."],
           "b": ["* ID NIL", "b OK ID completed."]},
      rule="ID is listed, so it is answered", servers=("courier",)),
    D("referrals_and_urlauth", "a RLIST \"\" *\nb GENURLAUTH x INTERNAL\n"
      "c NOOP", own={"a": ["a NO Not available here."],
                     "b": ["b NO Not available here."]},
      rule="capabilities that are stripped are refused"),
    D("layers", "a COMPRESS DEFLATE\nb STARTTLS\nc UNAUTHENTICATE\n"
      "d compress deflate \ne NOOP",
      own={"a": ["a NO Not available here."],
           "b": ["b BAD TLS starts before login."],
           "c": ["c NO Not available here."],
           "d": ["d NO Not available here."]},
      rule="capabilities that are stripped are refused"),
    D("login_twice", "a LOGIN <USER> pass\nb AUTHENTICATE PLAIN\nc NOOP",
      own={"a": ["a BAD Already logged in."],
           "b": ["b BAD Already logged in."]},
      rule="the name that is believed cannot change"),
    D("behind_login", "l LOGIN <USER> pass\nb NOOP\nc SELECT INBOX\n"
      "d STATUS INBOX (MESSAGES)\ne NOOP", login=False,
      direct=["l LOGIN <USER> pass", "b NOOP\nc SELECT INBOX\n"
              "d STATUS INBOX (MESSAGES)\ne NOOP"]),
]

MAILBOXES = [
    D("select", "a SELECT INBOX\nb EXAMINE INBOX\nc SELECT nosuch\n"
      "d FETCH 1 FLAGS\ne select inbox\nf SELECT \"INBOX\"", mails=2,
      select=False),
    D("select_literals", b"a SELECT {5+}\r\nINBOX\r\nb EXAMINE {5+}\r\ninbox"
      b"\r\nc NOOP\r\n", mails=1),
    D("select_sync_literal", b"a SELECT {5}\r\n", b"INBOX\r\nb NOOP\r\n",
      mails=1),
    D("create_delete_rename", "a CREATE <P>One\nb CREATE <P>One\n"
      "c CREATE \"<P>T w o\"\nd RENAME <P>One <P>Three\n"
      "e LIST \"\" \"*\"\nf DELETE \"<P>T w o\"\ng DELETE <P>NoSuch\n"
      "h LIST \"\" \"*\"\ni SELECT <P>Three\nj DELETE <P>Three\nk NOOP",
      select=False),
    D("delete_and_rename_refused", "a DELETE INBOX\nb RENAME <P>NoSuch <P>x\n"
      "c DELETE \"\"\nd NOOP", select=False, servers=("dovecot", "cyrus")),
    D("rename_inbox", "a RENAME INBOX <P>Old\nb LIST \"\" *\n"
      "c STATUS <P>Old (MESSAGES)\nd STATUS INBOX (MESSAGES)", mails=2,
      select=False, servers=("dovecot", "courier")),  # Cyrus 3.6 dies of it
    D("names_of_eight_bits", "a CREATE <P>Gr\u00fc\u00dfe\n"
      "b CREATE \"<P>Gr\u00fc\u00dfe\"\nc LIST \"\" \"*\"\n"
      "d CREATE <P>Gr&APwA3w-e\ne CREATE <P>&bad\nf LIST \"\" \"*\"\n"
      "g ENABLE UTF8=ACCEPT\nh LIST \"\" \"*\"\n"
      "i CREATE \"<P>\u00dcber\"\nj LIST \"\" \"*\"\nk NOOP",
      select=False),
    D("odd_names", 'a CREATE "<P>with \\"quotes\\" and \\\\"\n'
      'b CREATE "<P>{5}"\nc CREATE <P>{5+}x\nd LIST "" "*"\n'
      "e CREATE \"\"\nf CREATE <P>*\ng CREATE <P>a%b\nh NOOP",
      select=False),
    D("subscriptions", "a CREATE <P>Sub\nb SUBSCRIBE <P>Sub\n"
      "c SUBSCRIBE <P>NoSuch\nd LSUB \"\" \"*\"\ne UNSUBSCRIBE <P>Sub\n"
      "f LSUB \"\" \"*\"\ng UNSUBSCRIBE <P>NoSuch\nh LIST (SUBSCRIBED) "
      "\"\" \"*\"", select=False),
    D("list", 'a CREATE <P>a\nb CREATE <P>b\nc LIST "" %\nd LIST "" *\n'
      'e LIST "<P>" %\nf LIST "" INBOX\ng LIST "" inbox\nh LIST "" nosuch\n'
      'i LIST "" ""\nj LIST "" "<P>%"\nk LSUB "" %', select=False),
    D("list_extended", 'a CREATE <P>a\nb LIST "" (INBOX "<P>a")\n'
      'c LIST (SUBSCRIBED RECURSIVEMATCH) "" "*" RETURN (CHILDREN)\n'
      'd LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)\n'
      'e LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))\n'
      'f LIST (REMOTE) "" % RETURN ()\ng LIST (NOSUCH) "" %\nh NOOP',
      mails=2, select=False),
    D("list_literals", b"a LIST {0+}\r\n {1+}\r\n*\r\nb LIST \"\" {5+}\r\n"
      b"INBOX\r\nc LIST {2+}\r\n\"\" *\r\nd NOOP\r\n", select=False),
    D("status", "a STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)\n"
      "b STATUS INBOX (HIGHESTMODSEQ)\nc STATUS nosuch (MESSAGES)\n"
      "d STATUS INBOX (SIZE DELETED)\ne STATUS INBOX ()\n"
      "f STATUS INBOX (APPENDLIMIT MAILBOXID)\ng NOOP", mails=3,
      select=False),
    D("quota", "a GETQUOTAROOT INBOX\nb GETQUOTA \"\"\n"
      "c SETQUOTA \"\" (STORAGE 1)\nd GETQUOTA nosuch\ne NOOP"),
    D("acl", "a MYRIGHTS INBOX\nb GETACL INBOX\nc LISTRIGHTS INBOX <USER>\n"
      "d SETACL INBOX nobody lr\ne GETACL INBOX\nf DELETEACL INBOX nobody\n"
      "g NOOP"),
    D("metadata", 'a GETMETADATA INBOX /private/comment\n'
      'b SETMETADATA INBOX (/private/comment "x y")\n'
      'c GETMETADATA INBOX /private/comment\n'
      'd GETMETADATA "" (/shared/comment /private/comment)\n'
      'e SETMETADATA INBOX (/private/comment NIL)\n'
      'f GETANNOTATION INBOX * *\ng NOOP'),
    D("metadata_literals", b"a SETMETADATA INBOX (/private/comment {4+}\r\n"
      b"a\r\nb)\r\nb GETMETADATA INBOX /private/comment\r\nc NOOP\r\n"),
    D("close_unselect_check", "a STORE 1 FLAGS (\\Deleted)\nb CHECK\n"
      "c UNSELECT\nd FETCH 1 FLAGS\ne SELECT INBOX\nf CLOSE\n"
      "g SELECT INBOX\nh FETCH 1 FLAGS\ni UNSELECT\nj CLOSE", mails=2),
    D("qresync", "a ENABLE QRESYNC\nb SELECT INBOX (QRESYNC (1 1))\n"
      "c STORE 1 +FLAGS (\\Deleted)\nd UID EXPUNGE 1:*\n"
      "e SELECT INBOX (QRESYNC (1 1 1:3))\n"
      "f UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)\ng NOOP", mails=3,
      select=False),
    D("condstore", "a SELECT INBOX (CONDSTORE)\nb FETCH 1:* (FLAGS MODSEQ)\n"
      "c STORE 1 (UNCHANGEDSINCE 999999) +FLAGS (\\Seen)\n"
      "d STORE 1:2 (UNCHANGEDSINCE 1) +FLAGS (\\Answered)\n"
      "e FETCH 1:* (FLAGS) (CHANGEDSINCE 1)\n"
      "f SEARCH MODSEQ 1\ng STATUS INBOX (HIGHESTMODSEQ)\nh NOOP",
      mails=3, select=False),
]

APPENDS = [
    D("append_sync", b"a APPEND INBOX {21}\r\n", MAIL + b"\r\nb NOOP\r\n",
      b"c FETCH 1 BODY.PEEK[]\r\n"),
    D("append_nonsync", *each(b"a APPEND INBOX (\\Seen) {21+}\r\n" + MAIL
      + b"\r\nb FETCH 1 (FLAGS BODY.PEEK[])\r\nc NOOP\r\n")),
    D("append_date", *each(b"a APPEND INBOX (\\Seen \\Draft) \"01-Mar-2026 "
      b"10:00:00 +0100\" {21+}\r\n" + MAIL
      + b"\r\nb FETCH 1 (FLAGS INTERNALDATE)\r\n"
      b"c APPEND INBOX \"no date\" {21+}\r\n" + MAIL + b"\r\nd NOOP\r\n"),
      polite=True),
    D("append_twice", *each((b"%%s APPEND INBOX {21+}\r\n%s\r\n" % MAIL) % b"a"
      + (b"%%s APPEND INBOX {21+}\r\n%s\r\n" % MAIL) % b"b"
      + b"c NOOP\r\nd FETCH 1:* (UID RFC822.SIZE)\r\n")),
    D("append_refused_sync", b"a APPEND <P>nosuch {21}\r\n", MAIL + b"\r\n"
      b"y NOOP\r\n", b"z NOOP\r\n", select=False),
    D("append_refused_nonsync", b"a APPEND <P>nosuch {21+}\r\n" + MAIL
      + b"\r\nb NOOP\r\n", polite=True),
    D("append_empty", *each(b"a APPEND INBOX {0+}\r\n\r\nb NOOP\r\nc FETCH 1 "
      b"RFC822.SIZE\r\n")),
    D("append_trailing", *each(b"a APPEND INBOX {21+}\r\n" + MAIL
      + b" more\r\nb NOOP\r\n"), polite=True),
    D("append_literal8", *each(b"a APPEND INBOX ~{%d+}\r\n" % len(MAIL8)
      + MAIL8 + b"\r\nb FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])\r\n"
      b"c FETCH 1 BINARY.PEEK[1]<1.3>\r\nd FETCH 1 BODY.PEEK[]\r\n"
      b"e NOOP\r\n")),
    D("append_utf8", *each(b"a ENABLE UTF8=ACCEPT\r\nb APPEND INBOX UTF8 "
      b"(~{21+}\r\n" + MAIL + b")\r\nc NOOP\r\nd FETCH 1 RFC822.SIZE\r\n"),
      # Dovecot 2.3 waits for more and says nothing.
      servers=("courier", "cyrus")),
    D("multiappend", *each(b"a APPEND INBOX (\\Seen) {21+}\r\n" + MAIL
      + b" (\\Flagged) {21+}\r\n" + MAIL + b" {21+}\r\n" + MAIL
      + b"\r\nb FETCH 1:* (FLAGS RFC822.SIZE)\r\nc NOOP\r\n")),
    D("multiappend_one_empty", *each(b"a APPEND INBOX {21+}\r\n" + MAIL
      + b" {0+}\r\n\r\nb FETCH 1:* (FLAGS RFC822.SIZE)\r\nc NOOP\r\n")),
    D("catenate", *each(b"a APPEND INBOX CATENATE (TEXT {21+}\r\n" + MAIL
      + b" TEXT {3+}\r\nx\r\n)\r\nb FETCH 1:* BODY.PEEK[]\r\n"
      b"c APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\" TEXT {3+}\r\ny\r\n)"
      b"\r\nd FETCH 1:* BODY.PEEK[]\r\n"
      b"e APPEND INBOX CATENATE (URL \"/nosuch/;UID=1\" TEXT {3+}\r\ny\r\n)"
      b"\r\nf NOOP\r\n")),
    D("append_of_commands", *each(b"a APPEND INBOX {71+}\r\nSubject: x\r\n\r\n"
      b"x XAPPLEPUSHSERVICE \"aps-version\" \"2\"\r\nDONE\r\ny LOGOUT\r\n"
      b"\r\nb FETCH 1 BODY.PEEK[]\r\nc NOOP\r\n")),
]

MESSAGES = [
    D("fetch", "a FETCH 1:* ALL\nb FETCH 1:* FULL\nc FETCH 1:* FAST\n"
      "d FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE "
      "BODYSTRUCTURE BODY)\ne FETCH 1 RFC822.HEADER\nf FETCH 9 FLAGS\n"
      "g FETCH 1,3:2 UID\nh FETCH * UID", mails=3),
    D("fetch_bodies", "a FETCH 1:* BODY.PEEK[]\nb FETCH 2 BODY.PEEK[1]\n"
      "c FETCH 2 (BODY.PEEK[1.MIME] BODY.PEEK[2] BODY.PEEK[2.MIME])\n"
      "d FETCH 3 BODY.PEEK[TEXT]\ne FETCH 3 BODY.PEEK[HEADER]\n"
      "f FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]\n"
      "g FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]\n"
      "h FETCH 2 BODY.PEEK[9]\ni FETCH 1:* (RFC822.TEXT)\nj NOOP", mails=3),
    D("fetch_partial", "a FETCH 3 BODY.PEEK[]<0.10>\n"
      "b FETCH 3 BODY.PEEK[]<5.1000>\nc FETCH 3 BODY.PEEK[]<99999.5>\n"
      "d FETCH 3 BODY.PEEK[TEXT]<2.30>\ne FETCH 3 BODY.PEEK[]<0.0>\n"
      "f FETCH 1 BODY[]<0.4294967295>\ng NOOP", mails=3),
    D("fetch_sets_seen", "a FETCH 1 BODY[]\nb FETCH 2 RFC822\n"
      "c FETCH 1:* FLAGS\nd EXAMINE INBOX\ne FETCH 3 BODY[]\n"
      "f FETCH 3 FLAGS", mails=3),
    D("fetch_binary", "a FETCH 2 BINARY.PEEK[2]\nb FETCH 2 BINARY.SIZE[2]\n"
      "c FETCH 2 BINARY.PEEK[1]\nd FETCH 2 BINARY.PEEK[2]<1.3>\ne NOOP",
      mails=2),
    D("fetch_extensions", "a FETCH 1:* (PREVIEW)\nb FETCH 1 (SNIPPET)\n"
      "c FETCH 1 (EMAILID THREADID)\nd FETCH 1:* (X-GM-MSGID)\ne NOOP",
      mails=3),
    D("fetch_literal_names", b"a FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\n"
      b"SUBJECT {4+}\r\nFROM)]\r\nb NOOP\r\n", mails=2),
    D("uid_fetch", "a UID FETCH 1:* FLAGS\nb UID FETCH 2 (ENVELOPE)\n"
      "c UID FETCH 99:* UID\nd UID FETCH 99 FLAGS\ne uid fetch 1 body.peek[]",
      mails=3),
    D("store", "a STORE 1 FLAGS (\\Seen \\Answered)\n"
      "b STORE 1:2 +FLAGS (\\Flagged $Junk)\nc STORE 2 -FLAGS.SILENT "
      "(\\Flagged)\nd FETCH 1:* FLAGS\ne UID STORE 3 +FLAGS.SILENT (custom2)\n"
      "f STORE 9 +FLAGS (\\Seen)\ng STORE 1 FLAGS ()\n"
      "h STORE 1 +FLAGS \\Seen\n"
      "i STORE 1 +FLAGS (\\Recent)\nj STORE 1 NOFLAGS (x)\nk FETCH 1:* FLAGS",
      mails=3),
    D("expunge", "a STORE 1,3 +FLAGS.SILENT (\\Deleted)\nb UID EXPUNGE 3\n"
      "c FETCH 1:* UID\nd EXPUNGE\ne FETCH 1:* UID\nf EXPUNGE\n"
      "g STATUS INBOX (MESSAGES UIDNEXT)", mails=3),
    D("copy_move", "a CREATE <P>To\nb COPY 1:2 <P>To\nc UID COPY 3 <P>To\n"
      "d COPY 1 <P>NoSuch\ne MOVE 1 <P>To\nf UID MOVE 3 <P>To\n"
      "g FETCH 1:* UID\nh STATUS <P>To (MESSAGES UIDNEXT)\ni COPY 9 <P>To\n"
      "j COPY 1 INBOX\nk NOOP", mails=3),
    D("copy_literals", *each(b"a COPY 1 {5+}\r\nINBOX\r\nb UID MOVE 1 {5+}\r\n"
      b"INBOX\r\nc NOOP\r\n"), mails=2),
    D("search", "a SEARCH ALL\nb SEARCH UNSEEN\nc SEARCH SUBJECT first\n"
      "d SEARCH TEXT \"Subject: second\"\ne UID SEARCH 2:* FLAGGED\n"
      "f SEARCH OR SEEN (FROM anna NOT DELETED)\ng SEARCH SINCE 2-Mar-2026\n"
      "h SEARCH LARGER 1 SMALLER 100000\ni SEARCH HEADER Message-ID 2@\n"
      "j SEARCH KEYWORD custom\nk SEARCH UID 1:2\nl SEARCH BODY nosuch",
      mails=3),
    D("search_charset", *each(b"a SEARCH CHARSET UTF-8 TEXT {7+}\r\nGr"
      b"\xc3\xbc\xc3\x9fe\r\nb SEARCH CHARSET US-ASCII SUBJECT first\r\n"
      b"c SEARCH CHARSET X-NOSUCH SUBJECT x\r\n"
      b"d SEARCH CHARSET ISO-8859-1 SUBJECT first\r\n"
      b"e SEARCH SUBJECT \"Gr\xc3\xbc\"\r\nf NOOP\r\n"), mails=3),
    D("search_literals", *each(b"a SEARCH SUBJECT {5+}\r\nfirst\r\n"
      b"b SEARCH SUBJECT {5+}\r\nfirst FROM {4+}\r\nanna\r\n"
      b"c SEARCH (SUBJECT {5+}\r\nfirst) {3+}\r\nALL\r\n"
      b"d SEARCH SUBJECT {0+}\r\n\r\ne NOOP\r\n"), mails=3, polite=True),
    D("search_sync_literals", b"a SEARCH SUBJECT {5}\r\n", b"first FROM "
      b"{4}\r\n", b"anna\r\nb NOOP\r\n", mails=3),
    D("esearch", "a SEARCH RETURN (MIN MAX COUNT ALL) ALL\n"
      "b UID SEARCH RETURN (COUNT) UNSEEN\nc SEARCH RETURN () SUBJECT first\n"
      "d SEARCH RETURN (SAVE) FLAGGED\ne FETCH $ FLAGS\n"
      "f SEARCH RETURN (NOSUCH) ALL\ng SEARCH RETURN (PARTIAL 1:2) ALL\n"
      "h NOOP", mails=3),
    D("sort_thread", "a SORT (SUBJECT) UTF-8 ALL\nb UID SORT (REVERSE DATE) "
      "UTF-8 ALL\nc THREAD REFERENCES UTF-8 ALL\n"
      "d UID THREAD ORDEREDSUBJECT US-ASCII ALL\ne SORT RETURN (COUNT) "
      "(ARRIVAL) UTF-8 ALL\nf SORT (NOSUCH) UTF-8 ALL\n"
      "g SORT (FROM) X-NOSUCH ALL\nh THREAD NOSUCH UTF-8 ALL", mails=3),
    D("sort_literal", b"a SORT (SUBJECT) UTF-8 SUBJECT {5+}\r\nfirst\r\n"
      b"b NOOP\r\n", mails=3),
    D("replace_and_others", *each(b"a UID REPLACE 1 INBOX {21+}\r\n" + MAIL
      + b"\r\nb GETJMAPACCESS\r\nc NOOP\r\nd CANCELUPDATE \"x\"\r\n"),
      mails=1, polite=True),
]

WAITING = [
    D("idle", "a IDLE", Until("\\+"), "DONE\nb NOOP", mails=1),
    D("idle_with_delivery", "a IDLE", Until("\\+"), Deliver(),
      Until("\\* 2 EXISTS"), Until("\\* \\d+ RECENT"), "DONE\nb NOOP\n"
      "c FETCH 1:* FLAGS", mails=1),
    D("idle_again_and_again", "a IDLE", Until("\\+"), "DONE\nb NOOP\nc IDLE",
      Until("\\+"), "done\nd IDLE", Until("\\+"), "DoNe\ne NOOP", mails=1),
    D("idle_without_mailbox", "a IDLE", Until("a |\\+"), "DONE\nb NOOP",
      select=False),
    # V18a: a Cyrus that is given both at once hears no DONE.
    D("idle_and_done_at_once", "a IDLE\nDONE\nb NOOP\nc IDLE\nDONE\nd NOOP",
      direct=["a IDLE", Until("\\+"), "DONE\nb NOOP\nc IDLE", Until("\\+"),
              "DONE\nd NOOP"], mails=1, pipelined=True),
    D("idle_behind_others", "a FETCH 1 FLAGS\nb IDLE\nDONE\nc FETCH 1 FLAGS",
      direct=["a FETCH 1 FLAGS\nb IDLE", Until("\\+"),
              "DONE\nc FETCH 1 FLAGS"], mails=1, pipelined=True),
    D("idle_ended_by_rubbish", "a IDLE", Until("\\+"), "NOOP", Until("a "),
      "b NOOP"),
    D("idle_ended_by_a_command", "a IDLE", Until("\\+"), "b NOOP",
      Until("a "), "c NOOP"),
    D("v18e_done_with_a_space", "a IDLE", Until("\\+"), "DONE ", Until("a "),
      "b NOOP"),
    D("v18g_idle_with_an_argument", "a IDLE x", Until("a |\\+"),
      servers=("courier", "cyrus")),
    D("v18g_idle_with_an_argument_idles", "a IDLE x", Until("\\+"),
      "DONE\nb NOOP", servers=("dovecot",)),
    D("v18h_idle_with_a_space", "a IDLE ", Until("\\+"), "DONE\nb NOOP",
      servers=("dovecot", "courier")),
    D("v18h_idle_with_a_space_is_bad", "a IDLE \nb NOOP",
      servers=("cyrus",)),
    D("notify", "a NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange"
      ")) (PERSONAL (MessageNew MessageExpunge MailboxName))", Deliver(6),
      Until("\\* 2 EXISTS"), "b NOTIFY NONE\nc NOTIFY SET (PERSONAL "
      "(AnnotationChange))\nd NOTIFY\ne NOOP", mails=1,
      servers=("dovecot",)),
    D("notify_status", "a NOTIFY SET (PERSONAL (MessageNew MessageExpunge))",
      Deliver(6), Until("\\* STATUS"), "b NOTIFY NONE\nc NOOP", mails=1,
      select=False, servers=("dovecot",)),
    D("notify_fetches", "a NOTIFY SET (SELECTED (MessageNew (UID FLAGS "
      "BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))", Deliver(6),
      Until("\\* 2 FETCH"), "b NOTIFY NONE\nc NOOP", mails=1,
      servers=("dovecot",)),
    D("notify_elsewhere", "a NOTIFY NONE\nb NOTIFY SET (SELECTED (MessageNew "
      "MessageExpunge))\nc NOOP", servers=("courier", "cyrus")),
]

OURS = [
    D("register_among_others", "a FETCH 1:* FLAGS\ns %s\nb NOOP\nc STATUS "
      "INBOX (MESSAGES)" % REGISTER, mails=2, own={"s": registered("s")},
      pipelined=True, rule="answered here"),
    D("register_several", "r %s\na SEARCH ALL\ns %s\nb CAPABILITY\nt %s\n"
      "c FETCH 1:* BODY.PEEK[]\nd NOOP" % (REGISTER, REGISTER, REGISTER),
      mails=2, own={"r": registered("r"), "s": registered("s"),
                    "t": registered("t")},
      pipelined=True, rule="answered here"),
    D("register_and_idle", "s %s\na IDLE\nDONE\nt %s\nb NOOP"
      % (REGISTER, REGISTER),
      direct=["s XNOSUCH\na IDLE", Until("\\+"), "DONE\nt XNOSUCH\nb NOOP"],
      own={"s": registered("s"), "t": registered("t")},
      pipelined=True, rule="answered here"),
    D("register_with_literals", b"a FETCH 1 FLAGS\r\ns " + REGISTER.encode()
      .replace(b"aps-version 2", b"{11+}\r\naps-version {1+}\r\n2")
      .replace(b"(INBOX)", b"({5+}\r\nINBOX)")
      + b"\r\nb SEARCH SUBJECT {5+}\r\nfirst\r\nc NOOP\r\n", mails=1,
      direct=["a FETCH 1 FLAGS\ns XNOSUCH",
              b"b SEARCH SUBJECT {5+}\r\nfirst\r\nc NOOP\r\n"],
      own={"s": registered("s")},
      pipelined=True, rule="answered here"),
    D("register_malformed", "a NOOP\ns XAPPLEPUSHSERVICE\nb NOOP\n"
      "t XAPPLEPUSHSERVICE (\nc NOOP",
      own={"s": ["s BAD aps-version is missing"],
           "t": ["t BAD Malformed arguments"]},
      pipelined=True, rule="answered here"),
]

PIPELINES = pipelined([
    D("many_in_one_segment", "\n".join("n%d %s" % (n, command)
      for n, command in enumerate(
          ["NOOP", "FETCH 1:* (UID FLAGS)", "SEARCH ALL", "STATUS INBOX "
           "(MESSAGES)", "CHECK", 'LIST "" INBOX', "UID FETCH 1 "
           "BODY.PEEK[]"] * 15)), mails=2),
    D("one_tag_for_all", "a NOOP\na FETCH 1 FLAGS\na CHECK\na SEARCH ALL\n"
      "z NOOP", mails=1),
    D("one_tag_with_literals", b"a SEARCH SUBJECT {5+}\r\nfirst\r\n"
      b"a NOOP\r\na SEARCH SUBJECT {5+}\r\nfirst\r\na XFOO {9+}\r\n"
      b"b1 LOGOUT\r\nz NOOP\r\n", mails=1, polite=True),
    D("one_tag_and_idle", "a NOOP\na IDLE\nDONE\na NOOP\nz NOOP",
      direct=["a NOOP\na IDLE", Until("\\+"), "DONE\na NOOP\nz NOOP"],
      mails=1),
    D("literals_in_a_row", b"".join(
        b"n%d SEARCH SUBJECT {5+}\r\n%s\r\n" % (n, word) for n, word in
        enumerate([b"first", b"nosuc", b"secon"] * 5)), mails=2),
    D("lower_case_and_spacing", "a nOoP\nb  NOOP\nc NOOP \nd NOOP\t\n"
      "e\tNOOP\n f NOOP\nz NOOP"),
    D("empty_lines", b"\r\na NOOP\r\n\r\n\r\nz NOOP\r\n"),
    D("bare_line_feeds", b"a NOOP\nb FETCH 1 FLAGS\nz NOOP\n", mails=1),
    D("only_tags", "a\nb \nz NOOP"),
    D("long_line", b"a SEARCH UNDELETED SUBJECT \"" + b"x" * 5000
      + b"\"\r\nb FETCH " + b",".join([b"1"] * 3000)
      + b" UID\r\nz NOOP\r\n", mails=1),
    D("long_tags", b"t" * 64 + b" NOOP\r\n" + b"t" * 65 + b" NOOP\r\n"
      + b"t" * 300 + b" NOOP\r\nz NOOP\r\n"),
    D("large_replies", "a FETCH 1:* BODY.PEEK[]\n" * 40 + "z NOOP", mails=3),
    D("many_bad_ones", "\n".join("b%d XNOSUCH" % n for n in range(8))
      + "\nz NOOP"),
    D("too_many_bad_ones", "\n".join("b%d XNOSUCH" % n for n in range(30))
      + "\nz NOOP", servers=("dovecot", "cyrus")),
    D("eight_bits_everywhere", b"a NOOP \xff\xfe\r\nb X\x80Y\r\n"
      b"c SEARCH SUBJECT \"\xff\xfe\"\r\nd FETCH 1 \xc3\xbc\r\nz NOOP\r\n",
      mails=1),
    D("control_octets", b"a NOOP \x01\r\nb \x1b[31m\r\nc SEARCH SUBJECT "
      b"\"\x02\x7f\"\r\nz NOOP\r\n", mails=1),
])

GLUED = "Literal without a space before it"
QUOTED = "Literal in an unfinished quoted string"
SYNTAX = "Malformed literal"
SIZE = "Literal too large"
VECTORS = [
    D("v01", b"a1 XFOO x {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n", polite=True),
    D("v02", b"a1 NOOP {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n", polite=True),
    D("v03", b"a1 SELECT \"foo{9+}\r\nb1 LOGOUT\r\nz NOOP\r\n",
      expect=bye(QUOTED), rule="3.2 rule 4"),
    D("v03_without_a_literal", b"a1 SELECT \"foo\r\nb1 NOOP\r\nz NOOP\r\n"),
    D("v04", b"a1 LIST \"\" \"x{9+}\"\r\nz NOOP\r\n"),
    D("v05", b"a1 SELECT abc{9+}\r\nb1 LOGOUT\r\nz NOOP\r\n",
      expect=bye(GLUED), rule="3.2 rule 5"),
    D("v05_sync", b"a1 SELECT abc{9}\r\nb1 NOOP\r\nz NOOP\r\n",
      Until("z ")),
    D("v06", b"{2+}\r\na1 NOOP\r\nz NOOP\r\n", expect=bye(GLUED),
      rule="3.2 rule 3"),
    # Courier says BAD and then waits for the octets.
    D("v07", b"a1 SELECT {99999999999}\r\n", b"x", b"z NOOP\r\n",
      servers=("dovecot", "cyrus")),
    D("v07b", b"a1 SELECT {18446744073709551621}\r\nINBOX\r\nz NOOP\r\n",
      expect=bye(SIZE), rule="3.2 rule 3"),
    D("v07_max", b"a1 SELECT {9223372036854775808}\r\nz NOOP\r\n",
      expect=bye(SIZE), rule="3.2 rule 3"),
    D("v08a", b"a1 SELECT {005+}\r\nINBOX\r\nz NOOP\r\n", polite=True),
    D("v08e", b"a1 SELECT {}\r\nz NOOP\r\n", expect=bye(SYNTAX),
      rule="3.2 rule 3"),
    D("v08f", b"a1 SELECT {+}\r\nz NOOP\r\n", expect=bye(SYNTAX),
      rule="3.2 rule 3"),
    D("v08g", b"a1 SELECT {5 +}\r\nINBOX\r\nz NOOP\r\n", expect=bye(SYNTAX),
      rule="3.2 rule 3"),
    D("v08i", b"a1 SELECT {5-}\r\nINBOX\r\nz NOOP\r\n", expect=bye(SYNTAX),
      rule="3.2 rule 3"),
    D("v08h", b"a1 SELECT {5+} \r\nz NOOP\r\n"),
    D("v09a", b"a1 SELECT {5+}\nINBOX\r\nz NOOP\r\n", polite=True),
    D("v09d", b"v1 NOOP\rb1 LOGOUT\r\nz NOOP\r\n",
      own={"v1": ["v1 BAD CR without LF."]}, rule="3.2 rule 2"),
    D("v09e", b"a1\rNOOP\r\nz NOOP\r\n",
      expect=[b"* BAD CR without LF.\r\n", b"z OK",
                                            b"end OK"], rule="3.2 rule 2"),
    D("v09_with_a_literal", b"a1 NOOP\r {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n",
      expect=bye("Literal announced by a malformed line"),
      rule="3.2 rule 2"),
    D("v10", b"a1 SELECT ~{5+}\r\nINBOX\r\nz NOOP\r\n", polite=True),
    D("v11", b"a1 NOOP {9}\r\n", b"b1 NOOP 1\r\ny NOOP\r\n",
      b"z NOOP\r\n"),
    D("v12_atom", b"a1 SELECT " + b"x" * 70000 + b"\r\nz NOOP\r\n",
      servers=("dovecot", "cyrus")),
    D("v12_quoted", b"a1 SELECT \"" + b"x" * 70000 + b"\"\r\nz NOOP\r\n"),
    D("v13a", b"v1 NOOP\0\r\nz NOOP\r\n",
      own={"v1": ["v1 BAD NUL in a line."]}, rule="3.2 rule 2"),
    D("v13b", b"v1 LOGIN \"a\0b\"\r\nz NOOP\r\n",
      own={"v1": ["v1 BAD NUL in a line."]}, rule="3.2 rule 2"),
    D("v13c", b"a1 SELECT {6+}\r\nIN\0BOX\r\nz NOOP\r\n", polite=True),
    D("v14b", b" a1 NOOP\r\nz NOOP\r\n"),
    D("v14d", b"a1\tNOOP\r\nz NOOP\r\n"),
    D("v17", b"+1 NOOP\r\n* NOOP\r\na]1 NOOP\r\na%b NOOP\r\n\"a\" NOOP\r\n"
      b"(a NOOP\r\nz NOOP\r\n"),
    D("v23a", b"a1 APPEND nobox {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n",
      polite=True),
    D("v23b", b"a1 APPEND INBOX (\\Bad Flag\" {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n",
      expect=bye(QUOTED), rule="3.2 rule 4"),
    D("many_literals_refused", b"a1 XFOO {1+}\r\nx {9+}\r\nb1 LOGOUT {3+}\r\n"
      b"abc\r\nz NOOP\r\n", polite=True),
]

DIALOGUES = (STATES + MAILBOXES + APPENDS + MESSAGES + WAITING + OURS
             + PIPELINES + VECTORS)
