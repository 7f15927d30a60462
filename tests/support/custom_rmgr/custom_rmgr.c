// A PostgreSQL module with a resource manager of its own, whose records only it can redo.
#include "postgres.h"

#include "access/relation.h"
#include "access/rmgr.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "access/xlogutils.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/pg_lsn.h"
#include "utils/rel.h"
#include "utils/relcache.h"

PG_MODULE_MAGIC;

#define TOUCH_BYTE 0x10
#define TOUCH_NOTHING 0x20

// Main data of TOUCH_BYTE: sets one byte of block 0's page.
typedef struct touch_record {
  uint16 offset;
  uint8 value;
} touch_record;

static void touch_redo(XLogReaderState* record) {
  Buffer buffer;
  touch_record touch;

  if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) != TOUCH_BYTE) return;
  memcpy(&touch, XLogRecGetData(record), sizeof touch);
  if (XLogReadBufferForRedo(record, 0, &buffer) == BLK_NEEDS_REDO) {
    Page page = BufferGetPage(buffer);
    ((uint8*)page)[touch.offset] = touch.value;
    PageSetLSN(page, record->EndRecPtr);
    MarkBufferDirty(buffer);
  }
  if (BufferIsValid(buffer)) UnlockReleaseBuffer(buffer);
}

static void touch_desc(StringInfo text, XLogReaderState* record) {}

static const char* touch_identify(uint8 info) { return "TOUCH"; }

void _PG_init(void);
void _PG_init(void) {
  static RmgrData manager;

  if (!process_shared_preload_libraries_in_progress) return;
  manager.rm_name = "zenith_test";
  manager.rm_redo = touch_redo;
  manager.rm_desc = touch_desc;
  manager.rm_identify = touch_identify;
  RegisterCustomRmgr(RM_EXPERIMENTAL_ID, &manager);
}

// touch(relation regclass, block int, page_offset int, value int, with_image bool) gives the LSN of
// the record's end.
PG_FUNCTION_INFO_V1(touch);
Datum touch(PG_FUNCTION_ARGS) {
  Relation relation = relation_open(PG_GETARG_OID(0), RowExclusiveLock);
  Buffer buffer = ReadBuffer(relation, (BlockNumber)PG_GETARG_INT32(1));
  Page page = BufferGetPage(buffer);
  touch_record touch = {(uint16)PG_GETARG_INT32(2), (uint8)PG_GETARG_INT32(3)};
  uint8 flags = REGBUF_STANDARD | (PG_GETARG_BOOL(4) ? REGBUF_FORCE_IMAGE : REGBUF_NO_IMAGE);
  XLogRecPtr end;

  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  START_CRIT_SECTION();
  ((uint8*)page)[touch.offset] = touch.value;
  MarkBufferDirty(buffer);
  XLogBeginInsert();
  XLogRegisterData((char*)&touch, sizeof touch);
  XLogRegisterBuffer(0, buffer, flags);
  end = XLogInsert(RM_EXPERIMENTAL_ID, TOUCH_BYTE);
  PageSetLSN(page, end);
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
  relation_close(relation, RowExclusiveLock);
  PG_RETURN_LSN(end);
}

// touch_nothing() gives the end of a record that refers to no page.
PG_FUNCTION_INFO_V1(touch_nothing);
Datum touch_nothing(PG_FUNCTION_ARGS) {
  uint8 byte = 0;

  XLogBeginInsert();
  XLogRegisterData((char*)&byte, sizeof byte);
  PG_RETURN_LSN(XLogInsert(RM_EXPERIMENTAL_ID, TOUCH_NOTHING));
}
