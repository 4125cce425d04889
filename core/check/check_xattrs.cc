// SPDX-License-Identifier: GPL-2.0-only
// Extended attributes of one object: that its items make up whole values, and lists of POSIX ACLs are ones and where they may be.
#include "core/check/checker.h"
#include "core/check/visitors.h"
#include "core/object/xattr.h"

namespace lcpfs {

class Checker::XattrTree : public Accounting {
public:
    XattrTree(Checker& checker, u64 id, const ObjectAttributes& attributes) : Accounting(checker), m_id(id), m_attributes(attributes) {}

    Status item(Bytes key, Bytes value) override
    {
        Findings& findings = m_checker.m_findings;
        Result<XattrPart> decoded = XattrPart::decode(key, value);
        if (decoded.is_error() || m_sequence.take(decoded.value()).is_error()) {
            if (decoded.is_error() || !m_checker.m_incomplete)
                findings.say("object ", m_id, ": extended attribute ", m_whole + 1, ": ", text_of(Error::xattr_damaged));
            m_checker.m_incomplete = true;
            return {};
        }
        m_whole += m_sequence.is_whole();
        const XattrPart& part = decoded.value();
        const AclKind acl = acl_kind_of(part.name);
        if (acl == AclKind::fallback && !m_attributes.is_directory())
            findings.say("object ", m_id, ": has an ACL for what is made in it, but is no directory");
        if (acl == AclKind::access && m_attributes.is_symlink())
            findings.say("object ", m_id, ": a symbolic link with an ACL");
        // One of several parts is looked at when it is used.
        if (acl != AclKind::none && part.value_bytes == part.bytes.size() && !is_acl(part.bytes))
            findings.say("object ", m_id, ": an ACL that is malformed");
        return {};
    }
    void finish()
    {
        if (m_whole == 0)
            m_checker.m_findings.say("object ", m_id, ": a tree of extended attributes without any");
        else if (m_sequence.end().is_error())
            m_checker.m_findings.say("object ", m_id, ": its last extended attribute lacks its end");
    }

private:
    u64 m_id;
    const ObjectAttributes& m_attributes;
    XattrSequence m_sequence;
    u64 m_whole { 0 };
};

Status Checker::check_xattrs(u64 id, const ObjectAttributes& attributes, const RecordRoot& root)
{
    XattrTree xattrs(*this, id, attributes);
    TRY(walk_root(*m_bodies, root, { TreeKind::xattrs, m_dataset_id, id }, xattrs,
                  [&](Bytes key, Bytes value) { return xattrs.item(key, value); }));
    if (!m_incomplete)
        xattrs.finish();
    return {};
}

}
