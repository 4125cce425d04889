// SPDX-License-Identifier: GPL-2.0-only
// Renaming: one group, up to four objects. A name that exists is redirected in place; a new one is added before
// the old one goes, since room is made for the addition.
#include "core/fs/log_records.h"
#include "core/fs/name_tree.h"
#include "core/fs/new_object.h"

namespace lcpfs {

namespace {

void touch(Object& object, Time time, bool contents) NO_THREAD_SAFETY_ANALYSIS
{
    object.m_attributes.ctime = time;
    if (contents)
        object.m_attributes.mtime = time;
    object.m_attributes.change++;
}

bool is_directory(Object* object) NO_THREAD_SAFETY_ANALYSIS { return object && object->m_attributes.is_directory(); }

Status check_victim(const Rename& rename) NO_THREAD_SAFETY_ANALYSIS
{
    if (!rename.victim || rename.exchange)
        return {};
    if (is_directory(rename.victim)) {
        if (!is_directory(&rename.object))
            return Error::is_directory;
        if (!rename.victim->m_tree.is_empty())
            return Error::not_empty;
    } else if (is_directory(&rename.object)) {
        return Error::not_directory;
    }
    return {};
}

// A directory that moved from one parent to another takes its ".." link along.
void move_parent_link(Object& object, Object& from, Object& to) NO_THREAD_SAFETY_ANALYSIS
{
    if (&from == &to || !object.m_attributes.is_directory())
        return;
    from.m_attributes.drop_link(2);
    to.m_attributes.links++;
    object.m_attributes.parent = to.id().value();
}

void drop_victim(const Rename& rename) NO_THREAD_SAFETY_ANALYSIS
{
    Object& victim = *rename.victim;
    if (victim.m_attributes.is_directory()) {
        victim.m_attributes.links = 0;
        rename.to_directory.m_attributes.drop_link(2);
    } else {
        victim.m_attributes.drop_link();
    }
}

}

Status rename_object(Pool& pool, const Rename& rename) NO_THREAD_SAFETY_ANALYSIS
{
    TRY(pool.admit_change());
    if (rename.from_text.is_empty() || rename.to_text.is_empty())
        return Error::invalid;
    if (rename.from_text.size() > k_max_name_bytes || rename.to_text.size() > k_max_name_bytes)
        return Error::name_too_long;
    if (rename.exchange && !rename.victim)
        return Error::not_found;
    if (rename.exchange && rename.whiteout)
        return Error::invalid;
    if (&rename.object == rename.victim)
        return {}; // two names of one file: POSIX leaves both
    const NewObject nothing;
    const NewObject& left = rename.whiteout ? *rename.whiteout : nothing;
    TRY(check_new_xattrs(left.xattrs));
    ScopedPromise promise(pool.space(), rename.object.dataset().owner());
    TRY(promise.take(pool.space().operation_units() + units_of_new(pool, left), Space::For::growth));
    Ref<Object> whiteout;
    if (rename.whiteout)
        whiteout = TRY(make_object(rename.from_directory.dataset(), left));
    NewScratch scratch(pool, left);
    TRY(scratch.make(left));
    Box<LogRecord> record = record_of_rename(pool, rename, whiteout.get());
    ObjectLocks locks;
    locks.add(&rename.from_directory);
    locks.add(&rename.to_directory);
    locks.add(&rename.object);
    locks.add(rename.victim);
    locks.lock();
    TxgHold hold(pool.engine());
    TxgId txg = hold.txg();
    Object& from = rename.from_directory;
    Object& to = rename.to_directory;
    if (to.m_deleted || to.m_attributes.links == 0)
        return Error::not_found;
    NameSpot source, target;
    TRY(find_name(from, rename.from_text, source));
    TRY(find_name(to, rename.to_text, target));
    if (!source.found || source.object != rename.object.id())
        return Error::not_found;
    if (target.found != (rename.victim != nullptr) || (target.found && target.object != rename.victim->id()))
        return target.found ? Error::exists : Error::not_found;
    TRY(check_victim(rename));
    TRY(from.prepare_change(txg));
    TRY(to.prepare_change(txg));
    TRY(rename.object.prepare_change(txg));
    if (rename.victim)
        TRY(rename.victim->prepare_change(txg));
    if (target.found)
        TRY(prepare_remove_name(to, txg, target));
    else
        TRY(prepare_add_name(to, txg, target, rename.to_text));
    TRY(prepare_remove_name(from, txg, source));
    if (whiteout)
        TRY(fill_new(*whiteout, from, left, txg, scratch));

    // Nothing fails from here on.
    u8 type = rename.object.m_attributes.entry_type();
    if (target.found)
        redirect_name(to, target, rename.to_text, rename.object.id(), type);
    else
        add_name(to, target, rename.to_text, rename.object.id(), type);
    if (rename.exchange) {
        redirect_name(from, source, rename.from_text, rename.victim->id(), rename.victim->m_attributes.entry_type());
        move_parent_link(*rename.victim, to, from);
    } else {
        if (whiteout)
            redirect_name(from, source, rename.from_text, whiteout->id(), whiteout->m_attributes.entry_type());
        else
            remove_name(from, txg, source, rename.from_text);
        if (rename.victim)
            drop_victim(rename);
    }
    move_parent_link(rename.object, from, to);
    touch(rename.object, rename.time, false);
    if (rename.victim)
        touch(*rename.victim, rename.time, false);
    touch(from, rename.time, true);
    if (&from != &to)
        touch(to, rename.time, true);
    pool.intent_log().append(txg, lcpfs::move(record));
    return {};
}

}
