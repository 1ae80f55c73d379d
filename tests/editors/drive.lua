-- Uses Neovim as a person would, and writes what it shows into the file that NETSPEC_SEEN names.

local PATIENCE = 30000
local seen = {}

local function until_true(what, condition)
  assert(vim.wait(PATIENCE, condition, 50), 'in vain: ' .. what)
end

local function diagnostics()
  return vim.diagnostic.get(0)
end

local function hints()
  return vim.tbl_map(function(hint)
    return { hint.inlay_hint.position.line, hint.inlay_hint.label }
  end, vim.lsp.inlay_hint.get({ bufnr = 0 }))
end

local function asked(method, line, character)
  local params = { textDocument = vim.lsp.util.make_text_document_params(0), position = { line = line, character = character } }
  local answers = vim.lsp.buf_request_sync(0, method, params, PATIENCE) or {}
  for _, answer in pairs(answers) do
    return answer.result
  end
end

local function main()
  until_true('hints', function() return #hints() > 0 end)
  seen.hints = hints()
  seen.clean = #diagnostics()
  seen.filetype = vim.bo.filetype
  seen.hover = asked('textDocument/hover', 4, 5).contents.value
  vim.api.nvim_buf_set_lines(0, 5, 6, false, { '  - relue' })
  until_true('a diagnostic', function() return #diagnostics() == 1 end)
  local found = diagnostics()[1]
  seen.fault = { found.lnum, found.col, found.message }
  vim.api.nvim_win_set_cursor(0, { 6, 4 })
  vim.lsp.buf.code_action({ apply = true })
  until_true('a repair', function() return vim.api.nvim_buf_get_lines(0, 5, 6, false)[1] == '  - relu' end)
  until_true('no diagnostic', function() return #diagnostics() == 0 end)
  seen.repaired = vim.api.nvim_buf_get_lines(0, 5, 6, false)[1]
  local items = asked('textDocument/completion', 5, 6)
  seen.completion = vim.tbl_map(function(item) return item.label end, items.items)
  seen.omnifunc = vim.bo.omnifunc
  vim.cmd('edit! other.yaml')
  vim.wait(500)
  seen.others = #vim.lsp.get_clients({ bufnr = 0 })
end

local ok, fault = pcall(main)
if not ok then
  seen = { problem = fault }
end
vim.fn.writefile({ vim.json.encode(seen) }, vim.env.NETSPEC_SEEN)
vim.cmd('qall!')
